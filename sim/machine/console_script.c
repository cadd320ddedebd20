/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/machine/console_script.h"

#include <string.h>

#include "sim/scenario/scenario_keys.h"

_Static_assert(SCENARIO_EXPECT_BYTES_MAX <= CONSOLE_MATCH_BYTES_MAX,
               "every text can be looked for");

const struct scenario_step *
console_script_step(const struct console_script *script)
{
    return script->at < script->count ? &script->steps[script->at] : NULL;
}

/* The step waits for a text, or for its time. */
static void begin_step(struct console_script *script, uint64_t now_ns)
{
    const struct scenario_step *step = console_script_step(script);

    script->is_waiting = step && *step->expect;
    script->due_ns = CONSOLE_SCRIPT_NEVER;
    if (!step)
        return;
    if (script->is_waiting) {
        console_match_begin(&script->match, step->expect);
        if (step->timeout_ns != SCENARIO_NO_TIME)
            script->due_ns = now_ns + step->timeout_ns;
    } else if (step->at_ns != SCENARIO_NO_TIME) {
        script->due_ns = step->at_ns;
    } else {
        script->due_ns = now_ns + step->after_ns;
    }
}

static void next_step(struct console_script *script, uint64_t now_ns)
{
    script->at++;
    begin_step(script, now_ns);
}

void console_script_init(struct console_script *script,
                         const struct scenario_step *steps, size_t count)
{
    *script = (struct console_script){.steps = steps, .count = count};
    begin_step(script, 0);
}

void console_script_see(struct console_script *script, uint8_t byte,
                        uint64_t now_ns)
{
    const struct scenario_step *step = console_script_step(script);

    if (!script->is_waiting || !console_match_see(&script->match, byte))
        return;
    script->is_waiting = false;
    script->due_ns = now_ns + step->after_ns;
    /* With nothing to type there is nothing to wait for: the next step sees
     * the very next byte. */
    if (!*step->send && !*step->hex && step->after_ns == 0)
        next_step(script, now_ns);
}

uint64_t console_script_due(const struct console_script *script)
{
    return script->due_ns;
}

enum console_action
console_script_act(struct console_script *script, uint64_t now_ns,
                   uint8_t bytes[static SCENARIO_SEND_BYTES_MAX], size_t *count)
{
    const struct scenario_step *step = console_script_step(script);

    *count = 0;
    if (!step || now_ns < script->due_ns)
        return CONSOLE_NOTHING;
    if (script->is_waiting)
        return CONSOLE_OVERDUE;
    *count = strlen(step->send);
    memcpy(bytes, step->send, *count);
    if (*step->hex)
        *count =
            scenario_key_parse_hex(step->hex, bytes, SCENARIO_SEND_BYTES_MAX);
    next_step(script, now_ns);
    return *count > 0 ? CONSOLE_TYPE : CONSOLE_NOTHING;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/text/encode.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sim/text/text.h"

void encode_csv(FILE *out, const char *text)
{
    if (strpbrk(text, "\",\r\n") == NULL) {
        fputs(text, out);
        return;
    }
    putc('"', out);
    for (; *text != '\0'; text++) {
        if (*text == '"')
            putc('"', out);
        putc(*text, out);
    }
    putc('"', out);
}

void encode_json(FILE *out, const char *text)
{
    const char *end = text + strlen(text);

    putc('"', out);
    while (text < end) {
        uint32_t character;
        size_t bytes = text_decode(text, (size_t)(end - text), &character);

        if (bytes == 0)
            fputs("\\ufffd", out);
        else if (character == '"' || character == '\\')
            fprintf(out, "\\%c", *text);
        else if (character < ' ')
            fprintf(out, "\\u%04x", (unsigned)character);
        else
            fwrite(text, 1, bytes, out);
        text += bytes > 0 ? bytes : 1;
    }
    putc('"', out);
}

void encode_real(FILE *out, double value)
{
    char text[40];

    if (isinf(value)) {
        fputs(value > 0 ? "9e999" : "-9e999", out);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    fputs(text, out);
}

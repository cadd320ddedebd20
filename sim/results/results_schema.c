/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/results/results_schema.h"

#include "sim/core/trace.h"

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

/*
 * All that could depend on how this SQLite was built and that shapes the file
 * is set here. The default cache would spill a long interval to the file early.
 */
static const char pragmas[] =
    "PRAGMA page_size = 4096;"
    "PRAGMA encoding = 'UTF-8';"
    "PRAGMA auto_vacuum = NONE;"
    "PRAGMA journal_mode = DELETE;"
    "PRAGMA synchronous = OFF;"
    "PRAGMA secure_delete = OFF;"
    "PRAGMA cache_size = -16384;"
    "PRAGMA application_id = " TEXT(
        RESULTS_APPLICATION_ID) ";"
                                "PRAGMA user_version = " TEXT(
                                    RESULTS_SCHEMA_VERSION) ";";

/*
 * Every time is simulated and in nanoseconds. host_ns stands in a table of its
 * own, because it alone differs between equal runs and its size moves what
 * follows it on the page.
 */
static const char tables[] =
    "CREATE TABLE run_info ("
    "  id INTEGER PRIMARY KEY CHECK (id = 1),"
    "  name TEXT NOT NULL,"
    "  scenario_yaml TEXT NOT NULL,"
    "  seed ANY NOT NULL," /* TEXT if it exceeds an INTEGER */
    "  version TEXT NOT NULL,"
    "  engine_version TEXT NOT NULL,"
    "  profile TEXT NOT NULL,"
    "  sim_ns INTEGER NOT NULL," /* up to the last commit */
    "  trace_hash TEXT"          /* 16 hex digits; NULL: not finished */
    ") STRICT;"
    "CREATE TABLE host_clock ("
    "  id INTEGER PRIMARY KEY CHECK (id = 1),"
    "  host_ns INTEGER NOT NULL"
    ") STRICT;"
    "CREATE TABLE guest_image ("
    "  id INTEGER PRIMARY KEY," /* in the order in which VMs ask for them */
    "  name TEXT NOT NULL,"
    "  bytes INTEGER NOT NULL,"
    "  hash TEXT NOT NULL" /* XXH64 with seed 0, 16 hex digits */
    ") STRICT;"
    "CREATE TABLE vm_partition ("
    "  id INTEGER PRIMARY KEY,"
    "  vm TEXT NOT NULL"
    ") STRICT;"
    "CREATE TABLE object ("
    "  id INTEGER PRIMARY KEY,"
    "  name TEXT NOT NULL,"
    "  help TEXT NOT NULL"
    ") STRICT;"
    "CREATE TABLE counter ("
    "  id INTEGER PRIMARY KEY,"
    "  object_id INTEGER NOT NULL REFERENCES object,"
    "  name TEXT NOT NULL,"
    "  unit TEXT NOT NULL,"
    "  formula TEXT NOT NULL,"
    "  help TEXT NOT NULL"
    ") STRICT;"
    "CREATE TABLE instance ("
    "  id INTEGER PRIMARY KEY,"
    "  object_id INTEGER NOT NULL REFERENCES object,"
    "  name TEXT NOT NULL"
    ") STRICT;"
    /* A VP is away while its VM is off. */
    "CREATE TABLE presence ("
    "  instance_id INTEGER NOT NULL REFERENCES instance,"
    "  first_interval INTEGER NOT NULL REFERENCES interval,"
    "  last_interval INTEGER REFERENCES interval," /* NULL: to the end */
    "  PRIMARY KEY (instance_id, first_interval)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE interval ("
    "  id INTEGER PRIMARY KEY,"
    "  start_ns INTEGER NOT NULL,"
    "  end_ns INTEGER NOT NULL"
    ") STRICT;"
    /* Most counters of most processors are 0 most of the time: a 0 is not
     * stored, the view supplies it. */
    "CREATE TABLE sample ("
    "  interval_id INTEGER NOT NULL REFERENCES interval,"
    "  instance_id INTEGER NOT NULL REFERENCES instance,"
    "  counter_id INTEGER NOT NULL REFERENCES counter,"
    "  value REAL NOT NULL CHECK (value <> 0),"
    "  PRIMARY KEY (interval_id, instance_id, counter_id)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE total ("
    "  instance_id INTEGER NOT NULL REFERENCES instance,"
    "  counter_id INTEGER NOT NULL REFERENCES counter,"
    "  value REAL NOT NULL,"
    "  PRIMARY KEY (instance_id, counter_id)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE guest_result ("
    "  id INTEGER PRIMARY KEY,"   /* in the order in which they were reported */
    "  time_ns INTEGER NOT NULL," /* of the first byte of the report */
    "  vm TEXT NOT NULL,"
    "  name TEXT NOT NULL,"
    "  value ANY NOT NULL CHECK (typeof(value) IN ('integer', 'real')),"
    "  unit TEXT NOT NULL,"
    "  partition INTEGER" /* of the VM then; NULL: not known */
    ") STRICT;"
    "CREATE TABLE console_line ("
    "  id INTEGER PRIMARY KEY," /* in the order in which they ended */
    "  time_ns INTEGER NOT NULL,"
    "  vm TEXT NOT NULL,"
    "  line TEXT NOT NULL"
    ") STRICT;"
    "CREATE TABLE vm_failure ("
    "  id INTEGER PRIMARY KEY," /* in the order in which they failed */
    "  time_ns INTEGER NOT NULL,"
    "  vm TEXT NOT NULL,"
    "  reason TEXT NOT NULL,"
    "  text TEXT" /* NULL: the guest has said no more */
    ") STRICT;"
    "CREATE TABLE console_input ("
    "  id INTEGER PRIMARY KEY," /* in the order in which it was typed */
    "  time_ns INTEGER NOT NULL,"
    "  vm TEXT NOT NULL,"
    "  bytes BLOB NOT NULL"
    ") STRICT;"
    "CREATE TABLE wait_vp ("
    "  id INTEGER PRIMARY KEY,"
    "  vm TEXT NOT NULL,"
    "  vp INTEGER NOT NULL"
    ") STRICT;"
    "CREATE TABLE wait_rule ("
    "  vp_id INTEGER NOT NULL REFERENCES wait_vp,"
    "  rule TEXT NOT NULL,"
    "  dispatches INTEGER NOT NULL,"
    "  wait_ns INTEGER NOT NULL,"
    "  longest_ns INTEGER NOT NULL,"
    "  undispatched INTEGER NOT NULL,"
    "  undispatched_ns INTEGER NOT NULL"
    ") STRICT;"
    "CREATE TABLE wait_by_holder ("
    "  vp_id INTEGER NOT NULL REFERENCES wait_vp,"
    "  holder_id INTEGER REFERENCES wait_vp," /* NULL: none in particular */
    "  dispatches INTEGER NOT NULL,"
    "  wait_ns INTEGER NOT NULL"
    ") STRICT;"
    "CREATE TABLE wait_bucket ("
    "  vp_id INTEGER NOT NULL REFERENCES wait_vp,"
    "  from_ns INTEGER NOT NULL,"
    "  to_ns INTEGER," /* NULL: without end */
    "  dispatches INTEGER NOT NULL"
    ") STRICT;"
    "CREATE TABLE wait_case ("
    "  vp_id INTEGER NOT NULL REFERENCES wait_vp,"
    "  rank INTEGER NOT NULL,"
    "  ready_ns INTEGER NOT NULL,"
    "  wait_ns INTEGER NOT NULL,"
    "  lp INTEGER," /* NULL: it was not dispatched */
    "  rule TEXT NOT NULL,"
    "  holder_id INTEGER REFERENCES wait_vp,"
    "  PRIMARY KEY (vp_id, rank)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE wait_part ("
    "  vp_id INTEGER NOT NULL REFERENCES wait_vp,"
    "  rank INTEGER NOT NULL,"
    "  rule TEXT NOT NULL,"
    "  wait_ns INTEGER NOT NULL"
    ") STRICT;"
    "CREATE TABLE event_kind ("
    "  id INTEGER PRIMARY KEY,"
    "  name TEXT NOT NULL,"
    "  help TEXT NOT NULL"
    ") STRICT;"
    "CREATE TABLE trace_event ("
    "  id INTEGER PRIMARY KEY," /* in the order in which they happened */
    "  time_ns INTEGER NOT NULL,"
    "  lp INTEGER,"
    "  partition ANY,"
    "  vp INTEGER,"
    "  kind_id INTEGER NOT NULL REFERENCES event_kind,"
    "  detail ANY NOT NULL" /* TEXT if it exceeds an INTEGER */
    ") STRICT;";

static const char views[] =
    "CREATE VIEW run AS"
    "  SELECT name, scenario_yaml, seed, version, engine_version, profile,"
    "         sim_ns, (SELECT host_ns FROM host_clock) AS host_ns, trace_hash"
    "  FROM run_info;"
    "CREATE VIEW image AS"
    "  SELECT name, bytes, hash FROM guest_image ORDER BY id;"
    "CREATE VIEW partition AS"
    "  SELECT id AS partition, vm FROM vm_partition ORDER BY id;"
    "CREATE VIEW perf AS"
    "  SELECT interval.end_ns AS time_ns, object.name AS object,"
    "         instance.name AS instance, counter.name AS counter,"
    "         coalesce(sample.value, 0.0) AS value"
    "  FROM object"
    "  JOIN counter ON counter.object_id = object.id"
    "  JOIN instance ON instance.object_id = object.id"
    "  JOIN presence ON presence.instance_id = instance.id"
    "  JOIN interval ON interval.id BETWEEN first_interval"
    "    AND coalesce(last_interval, 9223372036854775807)"
    "  LEFT JOIN sample ON sample.interval_id = interval.id"
    "    AND sample.instance_id = instance.id"
    "    AND sample.counter_id = counter.id;"
    "CREATE VIEW perf_total AS"
    "  SELECT object.name AS object, instance.name AS instance,"
    "         counter.name AS counter, total.value AS value"
    "  FROM total"
    "  JOIN instance ON instance.id = total.instance_id"
    "  JOIN counter ON counter.id = total.counter_id"
    "  JOIN object ON object.id = counter.object_id;"
    "CREATE VIEW result AS"
    "  SELECT vm, name, value, unit FROM guest_result ORDER BY id;"
    "CREATE VIEW console AS"
    "  SELECT time_ns, vm, line FROM console_line ORDER BY id;"
    "CREATE VIEW failure AS"
    "  SELECT time_ns, vm, reason, text FROM vm_failure ORDER BY id;"
    "CREATE VIEW input AS"
    "  SELECT time_ns, vm, bytes FROM console_input ORDER BY id;"
    "CREATE VIEW event AS"
    "  SELECT time_ns, lp, partition, vp, event_kind.name AS kind, detail"
    "  FROM trace_event JOIN event_kind ON event_kind.id = kind_id"
    "  ORDER BY trace_event.id;";

/*
 * What a guest says of itself, beside what the host counted meanwhile. A report
 * begins with "clock", and the rest of it follows; a span lies between two
 * reports of a VM's one life (its partition: all clocks begin anew with the
 * next), a piece of it in one sample interval of one VP. Samples that reach
 * over the end of a span count by what of their time lies in it.
 */
static const char guest_view[] =
    "CREATE VIEW guest_view AS"
    "  WITH report AS ("
    "    SELECT id, vm, partition, time_ns, value AS clock,"
    "      lead(id, 1, 9223372036854775807)"
    "        OVER (PARTITION BY vm ORDER BY id) AS next_id"
    "    FROM guest_result WHERE name = 'clock' AND unit = 'ns'),"
    "  said AS ("
    "    SELECT report.vm, report.partition, report.time_ns, clock,"
    "      max(value) FILTER (WHERE name = 'stat_busy') AS busy,"
    "      max(value) FILTER (WHERE name = 'stat_idle') AS idle,"
    "      max(value) FILTER (WHERE name = 'stat_stolen') AS stolen"
    "    FROM report JOIN guest_result ON guest_result.vm = report.vm"
    "      AND guest_result.id > report.id AND guest_result.id < next_id"
    "    GROUP BY report.id"
    "    HAVING busy + idle + stolen IS NOT NULL),"
    "  span AS ("
    "    SELECT vm, lag(time_ns) OVER w AS start_ns, time_ns AS end_ns,"
    "      busy - lag(busy) OVER w AS busy, idle - lag(idle) OVER w AS idle,"
    "      stolen - lag(stolen) OVER w AS stolen,"
    "      clock - first_value(clock) OVER w"
    "        - (time_ns - first_value(time_ns) OVER w) AS clock_ahead_ns"
    "    FROM said"
    "    WINDOW w AS (PARTITION BY vm, partition ORDER BY time_ns)),"
    "  piece AS ("
    "    SELECT span.vm, span.end_ns,"
    "      min(span.end_ns, interval.end_ns)"
    "        - max(span.start_ns, interval.start_ns) AS ns,"
    "      max(value) FILTER (WHERE counter.name = '% Guest Run Time')"
    "        AS guest_run,"
    "      max(value) FILTER (WHERE counter.name = '% Total Run Time')"
    "        AS total_run,"
    "      max(value) FILTER (WHERE counter.name ="
    "        'CPU Wait Time Per Dispatch') AS wait_ns,"
    "      max(value) FILTER (WHERE counter.name ="
    "        'Logical Processor Dispatches/sec') AS dispatch_rate"
    "    FROM span JOIN interval ON interval.start_ns < span.end_ns"
    "      AND interval.end_ns > span.start_ns"
    "    JOIN presence ON interval.id BETWEEN first_interval"
    "      AND coalesce(last_interval, 9223372036854775807)"
    "    JOIN instance ON instance.id = presence.instance_id"
    "      AND substr(instance.name, 1, length(vm) + 7) = vm || ':Hv VP '"
    "    LEFT JOIN sample ON interval_id = interval.id"
    "      AND sample.instance_id = instance.id"
    "    LEFT JOIN counter ON counter.id = counter_id"
    "    GROUP BY span.vm, span.end_ns, interval.id, instance.id),"
    "  host AS ("
    "    SELECT vm, end_ns,"
    "      total(ns * guest_run) / sum(ns) AS guest_run,"
    "      total(ns * total_run) / sum(ns) AS total_run,"
    /* ns per second; 1e7 of them are 1 % */
    "      total(ns * wait_ns * dispatch_rate) / 1e7 / sum(ns) AS waiting"
    "    FROM piece GROUP BY vm, end_ns)"
    "  SELECT vm, start_ns, end_ns,"
    "    100.0 * busy / (busy + idle + stolen) AS believed_busy,"
    "    100.0 * stolen / (busy + idle + stolen) AS believed_stolen,"
    "    guest_run, total_run, waiting, clock_ahead_ns"
    "  FROM span JOIN host USING (vm, end_ns)"
    "  WHERE busy + idle + stolen > 0 ORDER BY end_ns, vm;";

static const char wait_views[] =
    "CREATE VIEW wait AS"
    "  SELECT vm, vp, rule, dispatches, wait_ns, longest_ns, undispatched,"
    "         undispatched_ns"
    "  FROM wait_rule JOIN wait_vp ON wait_vp.id = vp_id"
    "  ORDER BY wait_rule.rowid;"
    "CREATE VIEW wait_holder AS"
    "  SELECT waiting.vm, waiting.vp, holder.vm AS holder_vm,"
    "         holder.vp AS holder_vp, dispatches, wait_ns"
    "  FROM wait_by_holder JOIN wait_vp AS waiting ON waiting.id = vp_id"
    "  LEFT JOIN wait_vp AS holder ON holder.id = holder_id"
    "  ORDER BY wait_by_holder.rowid;"
    "CREATE VIEW wait_histogram AS"
    "  SELECT vm, vp, from_ns, to_ns, dispatches"
    "  FROM wait_bucket JOIN wait_vp ON wait_vp.id = vp_id"
    "  ORDER BY wait_bucket.rowid;"
    "CREATE VIEW wait_worst AS"
    "  SELECT waiting.vm, waiting.vp, rank, ready_ns, wait_ns, lp, rule,"
    "         holder.vm AS holder_vm, holder.vp AS holder_vp"
    "  FROM wait_case JOIN wait_vp AS waiting ON waiting.id = vp_id"
    "  LEFT JOIN wait_vp AS holder ON holder.id = holder_id"
    "  ORDER BY vp_id, rank;"
    "CREATE VIEW wait_worst_part AS"
    "  SELECT vm, vp, rank, rule, wait_ns"
    "  FROM wait_part JOIN wait_vp ON wait_vp.id = vp_id"
    "  ORDER BY wait_part.rowid;";

int64_t results_schema_counter_id(enum pc_object_id object, size_t counter)
{
    int64_t id = 1;

    for (int i = 0; i < (int)object; i++)
        id += pc_counters_object((enum pc_object_id)i)->counter_count;
    return id + (int64_t)counter;
}

static int bind_texts(sqlite3_stmt *row, int first, const char *const *texts,
                      int count)
{
    int code = SQLITE_OK;

    for (int i = 0; i < count && code == SQLITE_OK; i++)
        code = sqlite3_bind_text(row, first + i, texts[i], -1, SQLITE_STATIC);
    return code;
}

static int insert(sqlite3_stmt *row)
{
    sqlite3_step(row);
    return sqlite3_reset(row);
}

static int insert_counters(sqlite3_stmt *row, enum pc_object_id id)
{
    const struct pc_object *object = pc_counters_object(id);
    int code = SQLITE_OK;

    for (size_t i = 0; i < object->counter_count && code == SQLITE_OK; i++) {
        const struct pc_counter *counter = &object->counters[i];
        const char *texts[] = {counter->name, counter->unit,
                               pc_counters_formula_name(counter->formula),
                               counter->help};

        sqlite3_bind_int64(row, 1, results_schema_counter_id(id, i));
        sqlite3_bind_int(row, 2, (int)id + 1);
        code = bind_texts(row, 3, texts, 4);
        if (code == SQLITE_OK)
            code = insert(row);
    }
    return code;
}

static int fill_counters(sqlite3 *db)
{
    sqlite3_stmt *object = NULL;
    sqlite3_stmt *counter = NULL;
    int code;

    code = sqlite3_prepare_v2(db, "INSERT INTO object VALUES (?, ?, ?)", -1,
                              &object, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_prepare_v2(
            db, "INSERT INTO counter VALUES (?, ?, ?, ?, ?, ?)", -1, &counter,
            NULL);
    for (int i = 0; i < PC_OBJECT_COUNT && code == SQLITE_OK; i++) {
        enum pc_object_id id = (enum pc_object_id)i;
        const char *texts[] = {pc_counters_object(id)->name,
                               pc_counters_object(id)->help};

        sqlite3_bind_int(object, 1, i + 1);
        code = bind_texts(object, 2, texts, 2);
        if (code == SQLITE_OK)
            code = insert(object);
        if (code == SQLITE_OK)
            code = insert_counters(counter, id);
    }
    sqlite3_finalize(object);
    sqlite3_finalize(counter);
    return code;
}

static int fill_event_kinds(sqlite3 *db)
{
    static const char *const texts[][2] = {
#define TRACE(id, name, help) {name, help},
#include "sim/core/trace_kinds.def"
#undef TRACE
    };
    sqlite3_stmt *row = NULL;
    int code = sqlite3_prepare_v2(db, "INSERT INTO event_kind VALUES (?, ?, ?)",
                                  -1, &row, NULL);

    for (int i = 0; i < TRACE_KIND_COUNT && code == SQLITE_OK; i++) {
        sqlite3_bind_int(row, 1, i + 1);
        code = bind_texts(row, 2, texts[i], 2);
        if (code == SQLITE_OK)
            code = insert(row);
    }
    sqlite3_finalize(row);
    return code;
}

int results_schema_create(sqlite3 *db)
{
    int code = sqlite3_exec(db, pragmas, NULL, NULL, NULL);

    if (code == SQLITE_OK)
        code = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(db, tables, NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(db, views, NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(db, guest_view, NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(db, wait_views, NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = fill_counters(db);
    if (code == SQLITE_OK)
        code = fill_event_kinds(db);
    if (code == SQLITE_OK)
        code = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    return code;
}

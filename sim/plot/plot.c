/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/plot/plot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim/core/check.h"
#include "sim/plot/plot_private.h"
#include "sim/results/results_file.h"
#include "sim/text/text.h"

#define PROGRAM "gnuplot"
#define SAID_BYTES 512

/* Told apart by people who see no red or no green: after M. Okabe and K. Ito,
 * "Color Universal Design", 2008; without the black, the light yellow last. */
const char *const plot_colours[PLOT_COLOUR_COUNT] = {
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442",
};

enum sim_status plot_find_format(const char *path, enum plot_format *format,
                                 struct sim_error *error)
{
    static const char *const ends[] = {
        [PLOT_SVG] = ".svg",
        [PLOT_PNG] = ".png",
        [PLOT_SCRIPT] = ".gp",
    };
    size_t length = strlen(path);

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        size_t bytes = strlen(ends[i]);

        if (length > bytes && strcasecmp(&path[length - bytes], ends[i]) == 0) {
            *format = (enum plot_format)i;
            return SIM_OK;
        }
    }
    return sim_fail(error, SIM_BAD_USAGE,
                    "plot: %s: expected a name that ends in .svg, .png or .gp "
                    "(the script for gnuplot)",
                    path);
}

/* Scripts */

void plot_put_head(const struct plot *plot, unsigned height)
{
    const char *terminal =
        plot->format == PLOT_PNG
            ? "pngcairo noenhanced font 'sans,11'"
            : "svg noenhanced font 'sans,13' background rgb 'white'";

    if (plot->format == PLOT_SCRIPT)
        fprintf(plot->out, "# gnuplot FILE.gp > FILE.svg\n");
    fprintf(plot->out,
            "set terminal %s size %d,%u\n"
            "set encoding utf8\n"
            "set border 3 lc rgb '#444444'\n"
            "set tics nomirror out\n"
            "set grid noxtics noytics lc rgb '#DDDDDD' lt 1 lw 0.5\n"
            "set errorbars 0.6\n",
            terminal, PLOT_WIDTH, height);
}

void plot_put_text(const struct plot *plot, const char *text, unsigned most)
{
    char piece[TEXT_PIECE_BYTES];

    putc('\'', plot->out);
    for (unsigned i = 0; *text != '\0' && i < most; i++) {
        text_next(&text, piece);
        fputs(piece, plot->out);
        if (piece[0] == '\'')
            putc('\'', plot->out);
    }
    fputs(*text != '\0' ? "~'" : "'", plot->out);
}

enum sim_status plot_put_run_title(const struct plot *plot, sqlite3 *db,
                                   const char *what, const char *more,
                                   struct sim_error *error)
{
    sqlite3_stmt *row = plot_query(db,
                                   "SELECT name || ', seed ' || seed || ': ' ||"
                                   " ?1 FROM run",
                                   error);

    if (row == NULL)
        return error->status;
    sqlite3_bind_text(row, 1, what, -1, SQLITE_STATIC);
    if (sqlite3_step(row) == SQLITE_ROW) {
        fputs("set title ", plot->out);
        plot_put_text(plot, plot_text_of(row, 0), 120);
        if (*more != '\0') {
            fputs(" . \"\\n\" . ", plot->out);
            plot_put_text(plot, more, 120);
        }
        putc('\n', plot->out);
    }
    return plot_end_query(db, row, error);
}

struct plot_unit plot_choose_unit(double most_ns)
{
    static const struct plot_unit units[] = {
        {"s", 1e9}, {"ms", 1e6}, {"us", 1e3}};

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (most_ns >= units[i].divisor)
            return units[i];
    return (struct plot_unit){"ns", 1};
}

void plot_put_time_axis(const struct plot *plot, struct plot_span span,
                        const struct plot_unit *unit)
{
    /* Of six digits, gnuplot's own choice, the tics of a short span late in a
     * run would all be the same. */
    fprintf(plot->out,
            "set xlabel 'simulated time, %s'\n"
            "set format x '%%.12g'\n"
            "set xrange [%.12g:%.12g]\n"
            "set key outside right top Left reverse\n",
            unit->name, (double)span.from_ns / unit->divisor,
            (double)span.to_ns / unit->divisor);
}

/* Queries */

static enum sim_status fail_by_sqlite(sqlite3 *db, struct sim_error *error)
{
    return sim_fail(error, SIM_IO_ERROR, "the results cannot be read: %s",
                    sqlite3_errmsg(db));
}

sqlite3_stmt *plot_query(sqlite3 *db, const char *sql, struct sim_error *error)
{
    sqlite3_stmt *row = NULL;

    if (sqlite3_prepare_v2(db, sql, -1, &row, NULL) != SQLITE_OK)
        fail_by_sqlite(db, error);
    return row;
}

enum sim_status plot_end_query(sqlite3 *db, sqlite3_stmt *row,
                               struct sim_error *error)
{
    return sqlite3_finalize(row) == SQLITE_OK ? SIM_OK
                                              : fail_by_sqlite(db, error);
}

const char *plot_text_of(sqlite3_stmt *row, int column)
{
    const char *text = (const char *)sqlite3_column_text(row, column);

    return text != NULL ? text : "";
}

enum sim_status plot_read_end(sqlite3 *db, struct plot_span *span,
                              struct sim_error *error)
{
    sqlite3_stmt *row = plot_query(db, "SELECT sim_ns FROM run", error);
    uint64_t end_ns = 0;

    if (row == NULL)
        return error->status;
    if (sqlite3_step(row) == SQLITE_ROW && sqlite3_column_int64(row, 0) > 0)
        end_ns = (uint64_t)sqlite3_column_int64(row, 0);
    if (span->to_ns > end_ns)
        span->to_ns = end_ns;
    if (plot_end_query(db, row, error) != SIM_OK)
        return error->status;
    if (span->from_ns < span->to_ns)
        return SIM_OK;
    return sim_fail(error, SIM_BAD_USAGE,
                    "plot: nothing lies between --from and --to: the run ends "
                    "at %llu ns",
                    (unsigned long long)end_ns);
}

/* Drawing */

/** The child: gnuplot reads the script from its standard input, so that no
 *  shell and no file name stands between. */
static void become_gnuplot(int script, int picture, int said)
{
    if (dup2(script, STDIN_FILENO) < 0 || dup2(picture, STDOUT_FILENO) < 0 ||
        dup2(said, STDERR_FILENO) < 0)
        _exit(126);
    /* -d: as if the user had no settings of his own. */
    execlp(PROGRAM, PROGRAM, "-d", "-", (char *)NULL);
    _exit(errno == ENOENT ? 127 : 126);
}

/** The last line that tells something: gnuplot repeats its input, and may have
 *  warned, before it gives up. */
static void copy_complaint(FILE *said, char line[static SAID_BYTES])
{
    char next[SAID_BYTES];

    line[0] = '\0';
    rewind(said);
    while (fgets(next, sizeof(next), said) != NULL) {
        size_t blanks = strspn(next, " \t");

        next[strcspn(next, "\n")] = '\0';
        if (next[blanks] != '\0' && next[blanks] != '^' &&
            strncmp(next, "gnuplot>", 8) != 0)
            snprintf(line, SAID_BYTES, "%s", &next[blanks]);
    }
}

static enum sim_status refuse(int status, FILE *said, struct sim_error *error)
{
    char line[SAID_BYTES];

    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        return sim_fail(error, SIM_UNAVAILABLE,
                        "plot: there is no gnuplot, which draws: it is in "
                        "Debian's package gnuplot-nox; -o FILE.gp writes the "
                        "script alone");
    copy_complaint(said, line);
    return sim_fail(error, SIM_UNAVAILABLE, "plot: gnuplot failed%s%s",
                    line[0] != '\0' ? ": " : "", line);
}

static enum sim_status run_gnuplot(FILE *script, int picture, FILE *said,
                                   struct sim_error *error)
{
    int status = 0;
    pid_t pid = fork();

    if (pid < 0)
        return sim_fail(error, SIM_UNAVAILABLE,
                        "plot: gnuplot cannot be started: %s", strerror(errno));
    if (pid == 0)
        become_gnuplot(fileno(script), picture, fileno(said));
    while (waitpid(pid, &status, 0) < 0)
        CHECK(errno == EINTR);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return SIM_OK;
    return refuse(status, said, error);
}

/** A temporary file that is gone when it is closed. */
static FILE *open_scratch(const char *text, struct sim_error *error)
{
    FILE *file = tmpfile();

    if (file != NULL && fputs(text, file) >= 0 && fflush(file) == 0 &&
        lseek(fileno(file), 0, SEEK_SET) == 0)
        return file;
    sim_fail(error, SIM_IO_ERROR, "plot: no temporary file: %s",
             strerror(errno));
    if (file != NULL)
        fclose(file);
    return NULL;
}

static enum sim_status draw_to(const char *text, int picture,
                               struct sim_error *error)
{
    FILE *script = open_scratch(text, error);
    FILE *said = script != NULL ? open_scratch("", error) : NULL;
    enum sim_status status = SIM_IO_ERROR;

    if (said != NULL) {
        status = run_gnuplot(script, picture, said, error);
        fclose(said);
    }
    if (script != NULL)
        fclose(script);
    return status;
}

static enum sim_status keep_script(const char *text, int file, const char *path,
                                   struct sim_error *error)
{
    size_t bytes = strlen(text);

    while (bytes > 0) {
        ssize_t written = write(file, text, bytes);

        if (written < 0)
            return sim_fail(error, SIM_IO_ERROR, "%s: cannot be written: %s",
                            path, strerror(errno));
        text += written;
        bytes -= (size_t)written;
    }
    return SIM_OK;
}

enum sim_status plot_draw(const char *script, enum plot_format format,
                          const char *path, bool replace,
                          struct sim_error *error)
{
    struct results_file file;
    enum sim_status status;
    int picture;

    if (results_file_claim(&file, path, replace, error) != SIM_OK)
        return error->status;
    picture = open(file.work_path, O_WRONLY | O_CLOEXEC);
    if (picture < 0)
        status = sim_fail(error, SIM_NO_OUTPUT, "%s: cannot be written: %s",
                          path, strerror(errno));
    else if (format == PLOT_SCRIPT)
        status = keep_script(script, picture, path, error);
    else
        status = draw_to(script, picture, error);
    if (picture >= 0 && close(picture) != 0 && status == SIM_OK)
        status = sim_fail(error, SIM_IO_ERROR, "%s: cannot be written: %s",
                          path, strerror(errno));
    if (status == SIM_OK)
        return results_file_finish(&file, error);
    results_file_discard(&file);
    return status;
}

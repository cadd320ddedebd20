/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/text/text.h"

#include <string.h>

#include "sim/core/check.h"

#define COLUMNS_MAX 76
#define LENGTH_MAX 4 /* of a character of UTF-8 */

size_t text_decode(const char *text, size_t bytes, uint32_t *character)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char lead = (unsigned char)text[0];
    size_t length = lead < 0x80   ? 1
                    : lead < 0xc0 ? 0
                    : lead < 0xe0 ? 2
                    : lead < 0xf0 ? 3
                    : lead < 0xf8 ? 4
                                  : 0;

    if (length == 0 || length > bytes)
        return 0;
    *character = length == 1 ? lead : lead & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        unsigned char next = (unsigned char)text[i];

        if ((next & 0xc0) != 0x80)
            return 0;
        *character = *character << 6 | (next & 0x3f);
    }
    if (*character < least[length] || *character > 0x10ffff ||
        (*character >= 0xd800 && *character <= 0xdfff))
        return 0;
    return length;
}

/** Control characters, those of Unicode's second block of them too; a tab does
 *  no harm. */
static bool is_control(uint32_t c)
{
    return (c < 0x20 && c != '\t') || (c >= 0x7f && c < 0xa0);
}

size_t text_next(const char **text, char piece[static TEXT_PIECE_BYTES])
{
    uint32_t character = 0;
    size_t length = text_decode(*text, strnlen(*text, LENGTH_MAX), &character);

    CHECK(**text != '\0');
    if (length > 0 && !is_control(character)) {
        memcpy(piece, *text, length);
        piece[length] = '\0';
        *text += length;
        return length;
    }
    length = (size_t)snprintf(piece, TEXT_PIECE_BYTES, "\\x%02x",
                              (unsigned char)**text);
    ++*text;
    return length;
}

void text_print(FILE *out, const char *text)
{
    char piece[TEXT_PIECE_BYTES];

    while (*text != '\0') {
        text_next(&text, piece);
        fputs(piece, out);
    }
}

void text_print_lines(FILE *out, const char *text)
{
    char piece[TEXT_PIECE_BYTES];

    while (*text != '\0') {
        if (*text == '\n') {
            putc(*text++, out);
            continue;
        }
        text_next(&text, piece);
        fputs(piece, out);
    }
}

static void print_escaped(FILE *out, uint32_t c)
{
    static const char named[] = {
        ['\t'] = 't', ['\n'] = 'n', ['\r'] = 'r', [0x1b] = 'e'};

    if (c == '"' || c == '\\')
        fprintf(out, "\\%c", (int)c);
    else if (c < sizeof named && named[c])
        fprintf(out, "\\%c", named[c]);
    else if (c < 0x100)
        fprintf(out, "\\x%02x", c);
    else if (c < 0x10000)
        fprintf(out, "\\u%04x", c);
    else
        fprintf(out, "\\U%08x", c);
}

void text_print_quoted(FILE *out, const char *text)
{
    fputc('"', out);
    while (*text != '\0') {
        uint32_t c = 0;
        size_t length = text_decode(text, strnlen(text, LENGTH_MAX), &c);

        CHECK(length > 0);
        if (c >= ' ' && c <= '~' && c != '"' && c != '\\')
            fputc((int)c, out);
        else
            print_escaped(out, c);
        text += length;
    }
    fputc('"', out);
}

void text_print_wrapped(FILE *out, const char *text, unsigned indent)
{
    size_t column = 0;

    while (*text != '\0') {
        size_t word = strcspn(text, " ");

        if (column == 0)
            column = (size_t)fprintf(out, "%*s", (int)indent, "");
        else
            column += (size_t)fprintf(out, " ");
        fprintf(out, "%.*s", (int)word, text);
        column += word;
        text += word + strspn(text + word, " ");
        if (column + 1 + strcspn(text, " ") > COLUMNS_MAX || *text == '\0') {
            fputc('\n', out);
            column = 0;
        }
    }
}

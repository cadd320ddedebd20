/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "workloads/runtime/console.h"

#include "workloads/runtime/spinlock.h"
#include "workloads/runtime/string.h"
#include "workloads/runtime/x86.h"

/* 16550 registers, offsets from the base; see the PC16550D data sheet. */
#define COM1 0x3f8
#define UART_DATA (COM1 + 0)
#define UART_INTERRUPT_ENABLE (COM1 + 1)
#define UART_FIFO_CONTROL (COM1 + 2)
#define UART_LINE_CONTROL (COM1 + 3)
#define UART_MODEM_CONTROL (COM1 + 4)
#define UART_LINE_STATUS (COM1 + 5)
#define LINE_CONTROL_8N1 0x03
#define LINE_CONTROL_DLAB 0x80
#define LINE_STATUS_DATA_READY 0x01
#define LINE_STATUS_THR_EMPTY 0x20
#define FIFO_BYTES 16
/* A UART that never gets ready must not hang the guest. */
#define POLLS_MAX 100000

#define LINE_BYTES_MAX 512

static struct spinlock console_lock;

void console_init(void)
{
    x86_out8(UART_INTERRUPT_ENABLE, 0);
    x86_out8(UART_LINE_CONTROL, LINE_CONTROL_DLAB);
    x86_out8(UART_DATA, 1); /* divisor 1: 115200 baud */
    x86_out8(UART_INTERRUPT_ENABLE, 0);
    x86_out8(UART_LINE_CONTROL, LINE_CONTROL_8N1);
    x86_out8(UART_FIFO_CONTROL, 0x07); /* enable and clear both FIFOs */
    x86_out8(UART_MODEM_CONTROL, 0x03);
}

/* An empty transmitter takes a whole FIFO without asking again: every access
 * is an intercept, so this halves what a line costs. */
static void console_write(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (i % FIFO_BYTES == 0) {
            for (int poll = 0; poll < POLLS_MAX; poll++) {
                if (x86_in8(UART_LINE_STATUS) & LINE_STATUS_THR_EMPTY)
                    break;
            }
        }
        x86_out8(UART_DATA, (uint8_t)text[i]);
    }
}

void console_printf(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    console_vprintf(format, arguments);
    va_end(arguments);
}

void console_vprintf(const char *format, va_list arguments)
{
    char line[LINE_BYTES_MAX];
    size_t length = console_format(line, sizeof(line), format, arguments);
    bool irq = spinlock_acquire(&console_lock);

    console_write(line, length);
    spinlock_release(&console_lock, irq);
}

int console_read(void)
{
    if (!(x86_in8(UART_LINE_STATUS) & LINE_STATUS_DATA_READY))
        return -1;
    return x86_in8(UART_DATA);
}

struct text_out {
    char *text;
    size_t size;
    size_t length;
};

static void put(struct text_out *out, char c)
{
    if (out->length + 1 < out->size)
        out->text[out->length++] = c;
}

static void put_padded(struct text_out *out, const char *digits, size_t length,
                       size_t width, char pad)
{
    for (size_t i = length; i < width; i++)
        put(out, pad);
    for (size_t i = 0; i < length; i++)
        put(out, digits[i]);
}

static void put_number(struct text_out *out, uint64_t value, unsigned base,
                       bool negative, size_t width, char pad)
{
    char digits[24];
    size_t at = sizeof(digits);

    do {
        digits[--at] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    if (negative)
        digits[--at] = '-';
    put_padded(out, digits + at, sizeof(digits) - at, width, pad);
}

size_t console_format(char *text, size_t size, const char *format,
                      va_list arguments)
{
    struct text_out out = {.text = text, .size = size};

    for (const char *f = format; *f != '\0'; f++) {
        size_t width = 0;
        char pad = ' ';
        bool is_long = false;

        if (*f != '%') {
            put(&out, *f);
            continue;
        }
        f++;
        if (*f == '0')
            pad = *f++;
        for (; *f >= '0' && *f <= '9'; f++)
            width = width * 10 + (size_t)(*f - '0');
        for (; *f == 'l'; f++)
            is_long = true;

        switch (*f) {
        case 'd': {
            int64_t v =
                is_long ? va_arg(arguments, long) : va_arg(arguments, int);
            uint64_t magnitude = v < 0 ? -(uint64_t)v : (uint64_t)v;

            put_number(&out, magnitude, 10, v < 0, width, pad);
            break;
        }
        case 'u':
        case 'x': {
            uint64_t v = is_long ? va_arg(arguments, unsigned long)
                                 : va_arg(arguments, unsigned);

            put_number(&out, v, *f == 'x' ? 16 : 10, false, width, pad);
            break;
        }
        case 'p':
            put_number(&out, (uintptr_t)va_arg(arguments, void *), 16, false,
                       16, '0');
            break;
        case 's': {
            const char *s = va_arg(arguments, const char *);

            put_padded(&out, s, strlen(s), width, ' ');
            break;
        }
        case 'c':
            put(&out, (char)va_arg(arguments, int));
            break;
        case '\0':
            f--;
            break;
        default:
            put(&out, *f);
            break;
        }
    }
    if (size > 0)
        text[out.length] = '\0';
    return out.length;
}

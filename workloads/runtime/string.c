/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "workloads/runtime/string.h"

/* Eight bytes at a time: an emulator runs each repetition as one step. */
void *memcpy(void *restrict to, const void *restrict from, size_t bytes)
{
    void *start = to;
    size_t words = bytes / 8;

    __asm__ volatile("rep movsq\n\t"
                     "movq %3, %2\n\t"
                     "rep movsb"
                     : "+D"(to), "+S"(from), "+c"(words)
                     : "r"(bytes % 8)
                     : "memory");
    return start;
}

void *memmove(void *to, const void *from, size_t bytes)
{
    uint8_t *out = to;
    const uint8_t *in = from;

    if (out <= in || out >= in + bytes)
        return memcpy(to, from, bytes);
    while (bytes-- > 0)
        out[bytes] = in[bytes];
    return to;
}

void *memset(void *to, int value, size_t bytes)
{
    void *start = to;
    size_t words = bytes / 8;
    uint64_t pattern = (uint8_t)value * UINT64_C(0x0101010101010101);

    __asm__ volatile("rep stosq\n\t"
                     "movq %3, %1\n\t"
                     "rep stosb"
                     : "+D"(to), "+c"(words)
                     : "a"(pattern), "r"(bytes % 8)
                     : "memory");
    return start;
}

int memcmp(const void *a, const void *b, size_t bytes)
{
    const uint8_t *x = a;
    const uint8_t *y = b;

    for (size_t i = 0; i < bytes; i++) {
        if (x[i] != y[i])
            return x[i] - y[i];
    }
    return 0;
}

size_t strlen(const char *text)
{
    size_t length = 0;

    while (text[length] != '\0')
        length++;
    return length;
}

int strcmp(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return (unsigned char)*a - (unsigned char)*b;
}

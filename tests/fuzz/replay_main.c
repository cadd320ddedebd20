/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Replays a fuzzer's corpus through its harness: `fuzz_x FOLDER`. Linked with
 * every LLVMFuzzerTestOneInput() where libFuzzer is not; where it is, libFuzzer
 * brings a main of its own, which ours must not collide with.
 */
#ifndef HVSIM_LIBFUZZER

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int is_input(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/** Reads all of `path`; the caller frees the bytes. NULL if that failed. */
static uint8_t *read_all(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    char *bytes = NULL;

    if (!file)
        return NULL;

    FILE *memory = open_memstream(&bytes, size);
    int c;

    while (memory && (c = getc(file)) != EOF)
        putc(c, memory);
    if (!memory || ferror(file) || fclose(memory)) {
        free(bytes);
        bytes = NULL;
    }
    fclose(file);
    return (uint8_t *)bytes;
}

static int replay(const char *folder, const char *name)
{
    char path[4096];
    size_t size = 0;

    snprintf(path, sizeof(path), "%s/%s", folder, name);

    uint8_t *input = read_all(path, &size);

    if (!input) {
        perror(path);
        return 1;
    }
    /* Named first: if the harness crashes, this is the input that did it. */
    printf("%s (%zu bytes)\n", name, size);
    fflush(stdout);

    /* Of the exact size, so that a sanitizer sees one byte too far. */
    uint8_t *exact = malloc(size ? size : 1);

    if (!exact) {
        free(input);
        return 1;
    }
    memcpy(exact, input, size);
    free(input);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    return 0;
}

int main(int argc, char **argv)
{
    struct dirent **entries = NULL;

    if (argc != 2) {
        fprintf(stderr, "usage: %s CORPUS_FOLDER\n", argv[0]);
        return 2;
    }

    int count = scandir(argv[1], &entries, is_input, alphasort);

    if (count <= 0) {
        fprintf(stderr, "%s: no input to replay\n", argv[1]);
        return 1;
    }

    int failed = 0;

    for (int i = 0; i < count; i++) {
        failed |= replay(argv[1], entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    printf("%d inputs replayed\n", count);
    return failed;
}

#else

/* ISO C wants a declaration in every file. */
typedef int replay_main_is_libfuzzers;

#endif

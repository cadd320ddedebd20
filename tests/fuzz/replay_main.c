/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Replays a fuzzer's corpus through its harness, file by file in the order of
 * their names: `fuzz_x_replay FOLDER`. So each input that once mattered is a
 * test in every build, with or without libFuzzer.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int is_input(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/**
 * Runs the harness on the bytes of `file`; false if they cannot be read. The
 * buffer has the input's exact size, so that a sanitizer sees one byte too far.
 */
static int replay_file(FILE *file)
{
    struct stat status;

    if (fstat(fileno(file), &status) != 0 || !S_ISREG(status.st_mode))
        return 0;

    size_t size = (size_t)status.st_size;
    uint8_t *input = malloc(size ? size : 1);
    int complete = input && fread(input, 1, size, file) == size;

    if (complete)
        LLVMFuzzerTestOneInput(input, size);
    free(input);
    return complete;
}

static int replay(const char *folder, const char *name)
{
    char path[4096];
    int replayed = 0;

    /* Named first: if the harness crashes, this is the input that did it. */
    printf("%s\n", name);
    fflush(stdout);

    snprintf(path, sizeof(path), "%s/%s", folder, name);

    FILE *file = fopen(path, "rb");

    if (file) {
        replayed = replay_file(file);
        fclose(file);
    }
    if (!replayed)
        fprintf(stderr, "%s: cannot be read\n", path);
    return replayed;
}

int main(int argc, char **argv)
{
    struct dirent **entries = NULL;

    if (argc != 2) {
        fprintf(stderr, "usage: %s CORPUS_FOLDER\n", argv[0]);
        return 2;
    }

    int count = scandir(argv[1], &entries, is_input, alphasort);
    int replayed = 0;

    for (int i = 0; i < count; i++) {
        replayed += replay(argv[1], entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);

    printf("%d of %d inputs replayed\n", replayed, count);
    return count > 0 && replayed == count ? 0 : 1;
}

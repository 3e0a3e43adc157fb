/* replay.c - runs a fuzzer's code on files, without a fuzzer: any compiler will do, and any
 * sanitizer. Says each file's name before it is run, so that the last line names what failed.
 *
 *   replay_NAME FILE... */
#include <stdio.h>
#include <stdlib.h>

#include "shared/base/memory.h"
#include "tests/fuzz/reader.h"

#define FILE_BYTES_MAX ((size_t)1 << 20)

/* In memory of exactly its length, so that a sanitizer sees any read past its end. */
static uint8_t *read_all(FILE *in, size_t *len)
{
    uint8_t *bytes = mem_new(FILE_BYTES_MAX, 1);
    *len = fread(bytes, 1, FILE_BYTES_MAX, in);
    return mem_grow(bytes, *len + !*len, 1);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        FILE *in = fopen(argv[i], "re");
        size_t len;
        if (!in) {
            fprintf(stderr, "cannot read %s\n", argv[i]);
            return EXIT_FAILURE;
        }
        printf("%s\n", argv[i]);
        fflush(stdout);
        uint8_t *bytes = read_all(in, &len);
        fclose(in);
        LLVMFuzzerTestOneInput(bytes, len);
        free(bytes);
    }
    return EXIT_SUCCESS;
}

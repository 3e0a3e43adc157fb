/* fold.h - files folded into one by a program that takes 2 to 4 of them, in several shapes: whether
 * the program is an operator, whose result does not depend on how a cluster combines values. */
#ifndef CONCLAVE_CLIENTS_FOLD_H
#define CONCLAVE_CLIENTS_FOLD_H

#include "shared/base/hash.h"
#include "shared/base/text.h"

#define FOLD_ARITY_MAX 4 /* values of one operation (the second seed) */

/* The shapes, by number from 0: which files go together. Each keeps their order. */
#define FOLD_SHAPES 6

struct fold_result {
    char path[64]; /* of the result, in the directory of the fold */
    uint8_t sha256[HASH_BYTES];
    uint64_t bytes, runs;
};

/* Runs a program on 2 to 4 files: its stdout becomes the file `to`. OK, or ERR_TIMEOUT,
 * ERR_INTERRUPTED, ERR_IO with one line in `why`. */
typedef int fold_program(void *context, size_t n, const char *const *files, const char *to,
                         struct text *why);

/* The shape as people know it: "from the left". */
const char *fold_shape_name(size_t shape);

/* Folds the files, two or more, in that shape, with intermediate results as files in `dir`. The
 * result is a file there; the rest is removed. Errors as those of the program. */
int fold_run(fold_program *program, void *context, size_t shape, size_t n, const char *const *files,
             const char *dir, struct fold_result *out, struct text *why);

/* Where two files begin to differ: offset and line, from 1; true: they are equal. ERR_IO: false,
 * with offset 0. */
bool fold_compare(const char *a, const char *b, uint64_t *offset, uint64_t *line);

#endif

/* jobspec.h - what a job may be, checked before it is sent, by the table of kinds that the nodes
 * have (nodes/core/kinds/kinds.h). */
#ifndef CONCLAVE_CLIENTS_JOBSPEC_H
#define CONCLAVE_CLIENTS_JOBSPEC_H

#include "shared/base/limits.h"
#include "shared/base/text.h"

struct job_inputs;

struct jobspec {
    char kind[JOB_KIND_MAX + 1];
    char spec[JOB_SPEC_MAX + 1]; /* in its canonical form: no leading zeros; empty until the inputs
                                  * are there */
    struct job_inputs *inputs;   /* owned (job_inputs.h); NULL: the kind takes none */
};

/* Options of kinds, as `submit` and `run` take them; in the lines of a file they are words. */
struct jobspec_options {
    uint64_t base;
    const char *against, *first;
};

#define JOBSPEC_OPTIONS(options)                                                                \
    {"base",                                                                                    \
     OPTION_U64,                                                                                \
     &(options).base,                                                                           \
     10,                                                                                        \
     16,                                                                                        \
     "BASE",                                                                                    \
     "of the integers that product and batch-gcd read: 10 or 16 (default 10)"},                 \
        {"against",                                                                             \
         OPTION_STRING,                                                                         \
         &(options).against,                                                                    \
         0,                                                                                     \
         0,                                                                                     \
         "INTEGERS",                                                                            \
         "batch-gcd: known integers, such as @known.txt; factors shared with them count, too"}, \
    {                                                                                           \
        "first", OPTION_STRING, &(options).first, 0, 0, "N", "primorial: of the first N primes" \
    }

/* The name of one that is given; NULL: none is. */
const char *jobspec_option_given(const struct jobspec_options *options);

/* As jobspec_parse(), with these options behind the words. */
int jobspec_parse_with(const struct jobspec_options *options, int n_words, char *const *words,
                       struct jobspec *out, char *why);

/* Takes "factorial" "10", or "product" "@numbers.txt". ERR_MALFORMED after one line in `why`
 * (TEXT_MAX bytes). Caller clears. */
int jobspec_parse(int n_words, char *const *words, struct jobspec *out, char *why);

/* Frees what it owns. */
void jobspec_clear(struct jobspec *spec);

/* The same from a line of a file: words between blanks, "#" begins a comment. ERR_NOT_FOUND: there
 * is no job in it. */
int jobspec_parse_line(struct slice line, struct jobspec *out, char *why);

/* Writes what stands before a result: "10!" for a factorial, else "kind(spec)". Strangers' bytes
 * are escaped. */
#define JOBSPEC_LABEL_MAX 600
char *jobspec_label(struct slice kind, struct slice spec, char at[JOBSPEC_LABEL_MAX]);

/* Makes a key: a random UUID (RFC 4122, version 4). */
#define JOB_KEY_TEXT_MAX (JOB_KEY_MAX + 1)
void jobspec_new_key(char at[JOB_KEY_TEXT_MAX]);

/* A key that a person chose: 1 to JOB_KEY_MAX printable ASCII characters. */
bool jobspec_key_is_valid(const char *key);

#endif

/* integer_words.h - lists of integers from what people type: 12, -5, @FILE, @- for stdin, job:4-17
 * (its result), value:9c1f (a stored value: its integers, or the lines of its text). */
#ifndef CONCLAVE_CLIENTS_INTEGER_WORDS_H
#define CONCLAVE_CLIENTS_INTEGER_WORDS_H

#include "clients/cli.h"
#include "clients/input/content.h"

/* What such words are, for people. */
#define INTEGER_WORDS \
    "integers: 12 -5 7, @FILE or @- (one a line), job:ID (its result) or value:HASH"

struct integer_words {
    struct content content;
    struct integers_lines lines; /* owned; of the one file, if that is all there is */
    bool has_lines;
    char name[TEXT_MAX / 4]; /* of the one file; else empty */
};

/* 10 or 16: EXIT_USAGE after one line otherwise. */
int integer_words_check_base(uint64_t base);

/* A word that needs the cluster: job:ID, value:HASH. */
bool integer_words_is_remote(const char *word);

/* A rule whose faults go to stderr. */
struct integers_rule integer_words_rule(uint64_t base, bool positive);

/* Reads all words, in their order, into one list. `cli` NULL: those that need the cluster are left
 * out. EXIT_OK also when integers are wrong: they are told, and counted in the rule, and the list
 * is not complete. Else an exit code after one line. Caller clears in any case. */
int integer_words_read(struct cli *cli, size_t n_words, char *const *words,
                       struct integers_rule *rule, struct integer_words *out);

/* EXIT_USAGE when something was wrong, after a line about how many more lines there are. */
int integer_words_faults(const struct integers_rule *rule);

/* One file, or stdin for "-", into content; `what` is told how many integers. An exit code. */
int integer_words_of_file(const char *path, uint64_t base, struct content *content,
                          struct text *what);

/* "1000000 integers", "1 integer". */
void integer_words_count(uint64_t n, struct text *out);

void integer_words_clear(struct integer_words *numbers);

#endif

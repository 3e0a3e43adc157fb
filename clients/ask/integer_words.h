/* integer_words.h - lists of integers from what people type: 12, -5, @FILE, @- for stdin, job:4-17
 * (its result), value:9c1f (a stored value: its integers, or the lines of its text). */
#ifndef CONCLAVE_CLIENTS_INTEGER_WORDS_H
#define CONCLAVE_CLIENTS_INTEGER_WORDS_H

#include "clients/ask/connection.h"
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

/* A word that needs the cluster: job:ID, value:HASH. */
bool integer_words_is_remote(const char *word);

/* Reads all words, in their order, into one list. `offline`: those that need the cluster are left
 * out. EXIT_OK also when integers are wrong: they are counted in the rule, and the list is not
 * complete. Else a code and the connection's reason. Caller clears in any case. */
int integer_words_read(struct conclave *cluster, bool offline, size_t n_words, char *const *words,
                       struct integers_rule *rule, struct integer_words *out);

/* "1000000 integers", "1 integer". */
void integer_words_count(uint64_t n, struct text *out);

void integer_words_clear(struct integer_words *numbers);

#endif

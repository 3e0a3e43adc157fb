/* trace_internal.h - between the files of the traces only. */
#ifndef CONCLAVE_HARNESS_TRACE_INTERNAL_H
#define CONCLAVE_HARNESS_TRACE_INTERNAL_H

#include "tests/harness/stage.h"
#include "tests/harness/trace.h"

#define WORDS_MAX 24

/* A command's words after its name. */
struct words {
    char *at[WORDS_MAX];
    size_t n;
};

/* False: it is no number up to `max`, no node. */
bool trace_number(const char *word, uint64_t max, uint64_t *out);
bool trace_node(const struct stage *stage, const char *word, node_id_t *id);

/* Commands: false when their words are wrong. */
bool trace_lose(struct stage *stage, const struct words *words);
bool trace_hold(struct stage *stage, const struct words *words);
bool trace_pass(struct stage *stage, const struct words *words);
bool trace_release(struct stage *stage, const struct words *words);
bool trace_drop(struct stage *stage, const struct words *words);
bool trace_split(struct stage *stage, const struct words *words);
bool trace_cut(struct stage *stage, const struct words *words);
bool trace_mend(struct stage *stage, const struct words *words);
bool trace_disconnect(struct stage *stage, const struct words *words);
bool trace_ask_vote(struct stage *stage, const struct words *words);
bool trace_ask_append(struct stage *stage, const struct words *words);

#endif

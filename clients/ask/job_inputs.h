/* job_inputs.h - the inputs of a job that works on stored values: words (integer_words.h) become
 * lists, lists become stored values, and these the numbers that are the job's argument. */
#ifndef CONCLAVE_CLIENTS_JOB_INPUTS_H
#define CONCLAVE_CLIENTS_JOB_INPUTS_H

#include "clients/ask/integer_words.h"
#include "clients/ask/upload.h"
#include "nodes/core/kinds/kinds.h"

struct job_input {
    char **words; /* owned, terminated copies */
    size_t n_words;
    struct integer_words numbers;
    job_id_t value;                  /* the stored value; JOB_NONE: none yet, or no integer */
    uint64_t segments, items, bytes; /* of the value, or of the list */
};

struct job_inputs {
    const struct job_kind *kind;
    uint64_t base;
    bool positive;
    /* As of struct integers_rule. */
    void (*tell)(const char *line, bool in_file);
    bool read;       /* the lists are there */
    uint64_t faults; /* integers that were wrong */
    size_t n;
    struct job_input at[INPUTS_MAX];
};

/* How many inputs the kind takes at most; 0: it is about numbers alone. */
size_t job_inputs_of(const struct job_kind *kind);

/* Takes the words behind the kind: those of the first input, `--against WORD` (of the second, more
 * than once if need be) and `--base 16`. Looks at no file. Caller destroys. ERR_MALFORMED after one
 * line in `why` (TEXT_MAX bytes). */
int job_inputs_parse(const struct job_kind *kind, int n_words, char *const *words,
                     struct job_inputs **out, char *why);

/* True when a word needs a cluster that is there already, or stdin. */
bool job_inputs_are_remote(const struct job_inputs *inputs);
bool job_inputs_read_stdin(const struct job_inputs *inputs);

/* Reads all of them. `offline`: only to see what is wrong, without a cluster. EXIT_OK, or a code
 * and the connection's reason: the first integer that is wrong, if nobody is told. */
int job_inputs_read(struct conclave *cluster, bool offline, struct job_inputs *inputs);

/* Uploads what is not there yet, and appends the job's argument to `spec`. Reads first, if that was
 * not done. The same codes. */
int job_inputs_upload(struct conclave *cluster, struct job_inputs *inputs,
                      const struct uploader *uploader, struct text *spec);

/* Accepts NULL. */
void job_inputs_destroy(struct job_inputs **inputs);

#endif

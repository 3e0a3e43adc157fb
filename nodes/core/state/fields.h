/* fields.h - the fields of the structs of the replicated state, for comparing two of them.
 *
 * Beside each table stands a list of all fields of each of its structs: those that entries make,
 * which are compared, and those that are a node's own or follow from others. `make check` fails
 * when a field is in no list.
 *
 *     static const struct member snaps_fields[] = {FIELD(snaps, at, rows), FIELD(snaps, n, bytes)};
 *
 * A field is compared by its digest, in which what a pointer leads to counts, not the pointer:
 * `how` names a function digest_HOW(), one of these or the table's own. */
#ifndef CONCLAVE_CORE_FIELDS_H
#define CONCLAVE_CORE_FIELDS_H

#include <stddef.h>

#include "nodes/core/state/compare.h"

struct member {
    const char *name; /* as in "job.trace" */
    size_t offset, size;
    /* NULL: it is not compared. */
    uint64_t (*digest)(const void *owner, const struct member *field);
};

struct fields {
    const struct member *at;
    size_t n;
    size_t size; /* of the struct */
};

#define FIELD(of, name, how)                                                                   \
    {                                                                                          \
#of "." #name, offsetof(struct of, name), sizeof(((struct of *)0)->name), digest_##how \
    }
/* This node's own, or the configuration. */
#define OWN(of, name) FIELD(of, name, nothing)
/* Follows from other fields: an index, a link of a list. */
#define DERIVED(of, name) FIELD(of, name, nothing)
/* A struct with a list of its own. */
#define WITHIN(of, name) FIELD(of, name, nothing)
#define digest_nothing   NULL

/* The list OF_fields[] as a whole. */
#define FIELDS_OF(of) \
    ((struct fields){of##_fields, sizeof of##_fields / sizeof *of##_fields, sizeof(struct of)})

uint64_t digest_bytes(const void *owner, const struct member *field);
uint64_t digest_text(const void *owner, const struct member *field); /* ended by a NUL */
uint64_t digest_blob(const void *owner, const struct member *field); /* a struct blob *, or NULL */

/* For a table's own digests: of so many bytes, and of all compared fields of one struct. */
uint64_t digest_block(const void *at, size_t len);
uint64_t digest_fields(struct fields fields, const void *owner);

/* Of n such structs in a row. */
uint64_t digest_array(struct fields fields, const void *at, size_t n);

/* Where the field is in its owner. */
const void *member_at(const void *owner, const struct member *field);

/* To whom differences are told: opaque for the tables. */
struct comparison {
    state_field *field;
    void *context;
};

/* Tells of each compared field of a pair; one of the two may be NULL: there is none. */
void compare_fields(const struct comparison *to, struct fields fields, const void *a,
                    const void *b);

/* The same of two arrays, place by place. */
void compare_arrays(const struct comparison *to, struct fields fields, const void *a, size_t n_a,
                    const void *b, size_t n_b);

#endif

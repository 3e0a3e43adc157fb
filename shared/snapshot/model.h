/* snapshot_model.h - a global snapshot in memory, read from the container that its initiator keeps
 * or from the JSON that `conclave snapshot export` writes (see snapshot_json.h).
 *
 * A file may come from anywhere: every count, number and text is checked before it gets in here.
 * What is in the model fits its types and refers to nodes that exist; whether it is consistent is
 * for snapshot_verify.h to say.
 *
 * The container is a sequence of parts, each a packed message after its length (32 bits,
 * little-endian): snapshot_head, then the nodes' reports, each of which begins with cut_state. */
#ifndef CONCLAVE_CLIENTS_SNAPSHOT_MODEL_H
#define CONCLAVE_CLIENTS_SNAPSHOT_MODEL_H

#include "shared/base/text.h"
#include "shared/wire/message.h"

/* What people type: INITIATOR-INCARNATION-COUNTER, 3-00000001b9ffba8b-4. */
struct snapshot_name {
    uint64_t initiator;
    incarnation_t incarnation;
    uint64_t counter;
};

#define SNAPSHOT_NAME_MAX 48
int snapshot_name_parse(struct slice text, struct snapshot_name *out); /* ERR_MALFORMED */
char *snapshot_name_text(const struct snapshot_name *name, char at[SNAPSHOT_NAME_MAX]);

/* A list of rows in the model's arena. */
#define MODEL_LIST(type) \
    struct {             \
        type *at;        \
        size_t n;        \
    }

/* A node's state at the cut. Accounts and values are in the order of their names, the outbox in
 * that of (node, number), without doubles. */
struct model_node {
    bool present;               /* else `about.missing` says why not */
    struct wire_cut_part about; /* what the initiator says of its report */
    struct wire_cut_state state;
    MODEL_LIST(struct wire_cut_account) accounts;
    MODEL_LIST(struct wire_cut_pair) pairs;
    MODEL_LIST(struct wire_cut_pending) outbox;
    MODEL_LIST(struct wire_cut_applied) applied;
    MODEL_LIST(struct wire_cut_op) queued; /* here to be executed */
};

/* The channel from one node to another, as the receiver recorded it. */
struct model_channel {
    bool known;           /* else `missing` says why not */
    struct slice missing; /* empty: there is no reason to know it */
    uint64_t recorded;
    MODEL_LIST(struct wire_cut_message) messages;
    MODEL_LIST(struct wire_cut_op) ops; /* in these messages, by their seq */
};

struct snapshot_model {
    struct snapshot_name name;
    bool complete, periodic;
    uint64_t time_ms, took_us, bytes;

    size_t n_nodes;
    struct model_node *nodes;       /* by id, from 1 */
    struct model_channel *channels; /* model_channel() finds one */

    /* What the coordinator knows. When two believe that they are it, the one of the higher term. */
    uint64_t coordinator; /* 0: nobody was */
    unsigned claims;      /* how many believed that they were */
    MODEL_LIST(struct wire_cut_job) jobs;
    MODEL_LIST(struct wire_cut_op) handed_out;
    MODEL_LIST(struct slice) checkpoint; /* packed image_... messages */

    /* Of the cluster that is restored with it; for shares only. */
    uint8_t cluster_id[CLUSTER_ID_BYTES];
    uint64_t voters;

    struct arena arena;
    MODEL_LIST(struct message *) parts; /* whose bytes the rows point to; owned */
};

/* Reads a container. ERR_MALFORMED or ERR_TOO_BIG with one line in `why`; else the caller
 * destroys. */
int snapshot_model_load(struct slice container, struct snapshot_model **out, struct text *why);

/* Returns an empty model of so many nodes, for who fills it himself; none of them is present. */
struct snapshot_model *snapshot_model_new(size_t n_nodes);

/* Sorts and checks what was filled in: names, doubles, nodes that do not exist. ERR_MALFORMED with
 * one line in `why`. */
int snapshot_model_check(struct snapshot_model *model, struct text *why);

void snapshot_model_destroy(struct snapshot_model **model);

/* The channel between two nodes, which differ and exist. */
struct model_channel *model_channel(const struct snapshot_model *model, uint64_t from, uint64_t to);

/* What a node counted on its channels with a peer; NULL when it had none. */
const struct wire_cut_count *model_count(const struct snapshot_model *model, uint64_t node,
                                         uint64_t peer);

/* What `to` has applied at the cut of what the ledger of `from` sent; NULL: nothing of this ledger.
 * Then the first that comes counts, whatever its number is. */
const struct wire_cut_applied *model_mark(const struct snapshot_model *model, uint64_t from,
                                          uint64_t to);

/* The last number applied, 0 without a mark. */
uint64_t model_applied(const struct snapshot_model *model, uint64_t from, uint64_t to);

/* True for what ledgers send each other by number: a transfer or an application message. */
bool model_is_numbered(const struct wire_cut_message *message);

/* Copies rows to the end of a MODEL_LIST. */
#define MODEL_APPEND(model, list, rows, count) \
    ((list).at =                               \
         model_append(&(model)->arena, (list).at, &(list).n, (rows), (count), sizeof *(list).at))
void *model_append(struct arena *arena, void *at, size_t *n, const void *rows, size_t count,
                   size_t size);

/* Checks the rows' texts (printable ASCII, for they reach terminals) and numbers (JSON carries
 * 63 bits; incarnations and epochs are written as text). ERR_MALFORMED names the field. */
int model_check_record(const struct record *record, const void *at, struct text *why);

#endif

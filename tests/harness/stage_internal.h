/* stage_internal.h - between the files of the stage only. */
#ifndef CONCLAVE_HARNESS_STAGE_INTERNAL_H
#define CONCLAVE_HARNESS_STAGE_INTERNAL_H

#include "tests/harness/stage.h"

/* Something that arrives at a node later: a message, or what its own threads have done. */
struct stage_letter {
    struct stage_letter *next;
    uint64_t at_us;
    node_id_t from, to;
    enum plane plane;
    uint64_t after_seq;        /* while it is gated */
    incarnation_t incarnation; /* of `to`: another one does not get it */
    enum event_kind kind;
    struct message *message;  /* owned; EVENT_MESSAGE */
    struct computed computed; /* EVENT_COMPUTED: owns its value */
    enum value_user user;     /* EVENT_VALUE_... */
    struct value_id value;    /* likewise: `from` is the source */
};

struct stage_persist {
    struct stage_persist *next;
    uint64_t seq;
    struct write *writes; /* owned, with their blobs */
    size_t n;
};

void stage_step(struct stage *stage, node_id_t id, struct event event);

/* Takes over what the letter owns. */
void stage_post(struct stage *stage, const struct stage_letter *letter);

/* A connection of `from` to `to` will be made on one plane. */
void stage_connect(struct stage *stage, node_id_t from, node_id_t to, enum plane plane,
                   uint64_t after_us);

void stage_persist(struct stage *stage, node_id_t id, const struct output *output);
void stage_gate(struct stage *stage, node_id_t id, const struct output *output);
void stage_compute(struct stage *stage, node_id_t id, const struct compute_op *op);
/* Attaches what a reply is to bring of a kept value. */
void stage_attach(struct stage *stage, node_id_t id, const struct output *output);

void stage_feed(struct stage *stage, node_id_t id, const struct feed_order *feed);
void stage_value(struct stage *stage, node_id_t id, const struct output *output);
void stage_forget_values(struct stage_node *node);
void stage_forget_feeding(struct stage_node *node);

/* What a killed node loses. */
void stage_lose(struct stage *stage, node_id_t id);

/* Lets out what waited for the disk. */
void stage_ungate(struct stage *stage, node_id_t id);

uint64_t stage_next_arrival(const struct stage *stage);
void stage_arrive(struct stage *stage);
void stage_forget_underway(struct stage *stage);

#endif

/* bench.h - one node under test, message by message; the test plays everybody else. */
#ifndef CONCLAVE_HARNESS_BENCH_H
#define CONCLAVE_HARNESS_BENCH_H

#include "nodes/core/node.h"

#define N_NODES 5
#define T       ELECTION_TIMEOUT_DEFAULT_US

/* One node under test, number 1, and what its disk holds. The test plays everybody else. */
struct bench {
    struct node *node;
    struct node_durable disk;
    struct identity identity; /* of what is on its way there */
    uint64_t now_us;
    uint64_t disk_seq;      /* durable up to here */
    uint64_t wanted_seq;    /* asked for */
    struct write wanted[8]; /* not durable yet */
    size_t n_wanted;
    struct message *sent[1024]; /* released by what is durable: owned */
    node_id_t sent_to[1024];
    size_t n_sent;
    struct message *held[1024]; /* not yet */
    node_id_t held_to[1024];
    uint64_t held_seq[1024];
    size_t n_held;
    bool slow_disk; /* nothing gets durable until sync() */
};

extern struct bench bench;

/* A message arrives, from the peer's one incarnation; drops it. */
void bench_deliver(enum plane plane, node_id_t from, struct message *message);

/* The last vote that was answered; NULL: none was. */
const struct wire_vote_reply *bench_answer(void);

bool bench_answered(bool granted, term_t term);

/* Says that a follower has our whole log on disk. */
void bench_acknowledge(node_id_t from);

void bench_become_candidate(void);

void bench_become_coordinator(void);

void bench_begin(term_t term, node_id_t vote);

void bench_crash(void);

void bench_finish(void);

void bench_forget_sent(void);

void bench_heartbeat(node_id_t from, const char *role, term_t term, node_id_t coordinator);

/* Lets time pass, in steps that are no stops of ours. */
void bench_pass(uint64_t us);

void bench_pass_until_candidate(bool pre);

void bench_reply_vote(node_id_t from, bool pre, term_t term, bool granted);

void bench_request_vote(node_id_t from, bool pre, term_t term, log_index_t index, term_t last);

/* Starts the node on what its disk holds, with its control connections up. */
void bench_start(void);

void bench_step(struct event event);

/* Lets the disk catch up. */
void bench_sync_disk(void);

#endif

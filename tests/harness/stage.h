/* stage.h - a few complete nodes whose every message, disk and clock is in the hands of the test.
 *
 * Where the simulator (tests/sim) throws dice, nothing here happens by chance: a message takes one
 * millisecond, a disk none, and node i waits T + 100 ms * i for a coordinator. What the test wants
 * otherwise it says: this message is lost, that disk is slow, now that timeout expires. What
 * happens is told line by line, so that a test can read it and a person, too. */
#ifndef CONCLAVE_HARNESS_STAGE_H
#define CONCLAVE_HARNESS_STAGE_H

#include "nodes/core/node.h"
#include "shared/base/map.h"
#include "shared/base/text.h"
#include "tests/harness/entries.h"
#include "tests/harness/inside.h"

#define STAGE_NODES_MAX 9
#define STAGE_RULES_MAX 16
#define STAGE_DELAY_US  MS_US

/* What is told of; a set. */
enum stage_topic {
    TELL_VOTES = 1,
    TELL_APPENDS = 2,  /* and checkpoints */
    TELL_COMMITS = 4,  /* what each node knows to be committed */
    TELL_CLIENTS = 8,  /* answers to clients */
    TELL_TASKS = 16,   /* operations and their results */
    TELL_LINES = 32,   /* what nodes log for people */
    TELL_REASONS = 64, /* and at the level of debugging: why they decide as they do */
    TELL_DISKS = 128   /* what becomes durable */
};

/* What becomes of messages from one node to another (NODE_NONE: any) of a type (MESSAGE_NONE: any).
 * The first rule that fits decides. */
enum stage_fate { FATE_PASS, FATE_LOSE, FATE_HOLD };

struct stage_rule {
    node_id_t from, to;
    enum message_type type;
    enum stage_fate fate;
};

/* A node and what its disk holds. */
struct stage_node {
    struct node *core;    /* NULL: it is down */
    bool stopped;         /* as by SIGSTOP */
    bool slow_disk;       /* nothing gets durable until stage_sync() */
    bool slow_values;     /* it gets and keeps no value */
    uint64_t value_bytes; /* of values that came so far, as events say */
    bool hangs;           /* what it computes is never ready */
    uint64_t op_us;       /* how long an operation takes here */
    uint64_t boots;
    incarnation_t incarnation;
    uint64_t pinned_us; /* the timeout as the stage set it */
    uint64_t busy_us;   /* it computes until then */
    log_index_t told_commit, checked;
    struct map values;  /* (job, op) -> struct blob */
    struct map feeding; /* likewise: what clients bring, and is not all there */
    bool lived;         /* its disk was used: it is what it is, wiped or not */

    struct node_durable durable;
    struct entries log;
    struct checkpoint *checkpoint; /* NULL: none */
    struct stage_persist *wanted, **wanted_end;
    uint64_t wanted_seq, disk_seq, wanted_since_us;
    struct stage_letter *gated, **gated_end; /* wait for the disk */
};

struct stage {
    uint32_t n_nodes, n_voters;
    bool unfounded;   /* the disks are blank; else they belong to one cluster from the beginning */
    bool voters_open; /* n_voters is nobody's wish: for the nodes that are started from now on */
    uint64_t compact_entries;                                          /* 0: the default */
    uint64_t checkpoint_slice_rows, install_bytes, progress_snaps_max; /* likewise */
    uint64_t progress_index_max; /* clients may set so many; 0: the nodes only */
    uint64_t keep_jobs[STAGE_NODES_MAX + 1], keep_bytes; /* options of each; 0: none is logged */
    uint64_t quota_jobs, quota_bytes;                    /* of each key; 0: any number */
    uint64_t keep_values_us;                             /* 0: the default */
    const struct asker *asker; /* who asks from now on; NULL when the nodes are started: they have
                                  no keys */
    node_id_t earlier; /* a release that knows no kinds of entries beyond the first; NODE_NONE */
    uint64_t now_us, begun_us, wall_skew_ms;
    unsigned topics;
    struct stage_node nodes[STAGE_NODES_MAX + 1];
    bool cut[STAGE_NODES_MAX + 1][STAGE_NODES_MAX + 1]; /* [from][to] */
    struct stage_rule rules[STAGE_RULES_MAX];
    size_t n_rules;
    struct stage_letter *underway; /* in the order of their arrival */
    struct stage_letter *held, **held_end;
    struct map committed;    /* index -> struct blob: the one entry ever committed there */
    node_id_t leaders[1024]; /* by term */
    struct message *answer;  /* the last one to a client; owned */
    char *story;             /* lines told and not yet taken; terminated */
    size_t story_len, story_size;
};

struct stage *stage_new(uint32_t n_nodes, uint32_t n_voters);

/* The same, all started, and node 1 serves. */
struct stage *stage_begin(uint32_t n_nodes);
void stage_free(struct stage **stage);

/* Starts a node on what its disk holds; its connections to all living nodes are made at once. */
void stage_start(struct stage *stage, node_id_t id);
void stage_start_all(struct stage *stage);

/* Kills it: what is not durable is lost, and the others see its connections close. */
void stage_kill(struct stage *stage, node_id_t id);

/* Empties the disk of a node that is down. */
void stage_wipe(struct stage *stage, node_id_t id);

/* SIGSTOP and SIGCONT: meanwhile what is sent to it waits. */
void stage_stop(struct stage *stage, node_id_t id);
void stage_resume(struct stage *stage, node_id_t id);

/* Both directions between two nodes fall silent; connections stay, as with a pulled cable. */
void stage_cut(struct stage *stage, node_id_t a, node_id_t b, bool cut);

/* One direction only. */
void stage_cut_one_way(struct stage *stage, node_id_t from, node_id_t to, bool cut);

/* The connections of one node to another close, and are made again a little later. */
void stage_disconnect(struct stage *stage, node_id_t from, node_id_t to);

void stage_rule(struct stage *stage, struct stage_rule rule);
void stage_hold(struct stage *stage, node_id_t from, node_id_t to, enum message_type type);
void stage_lose_messages(struct stage *stage, node_id_t from, node_id_t to, enum message_type type);
void stage_no_rules(struct stage *stage);

/* Lets the first `n` held messages arrive now, in order or in reverse, each so many times. */
void stage_release(struct stage *stage, size_t n, bool reversed, unsigned times);
void stage_forget_held(struct stage *stage);

/* A message that the test makes up arrives now (takes it). */
void stage_say(struct stage *stage, node_id_t from, node_id_t to, enum plane plane,
               struct message *message);

/* A no-op as entries are packed (caller drops). */
struct blob *stage_entry(void);

/* Puts such an entry, of that term, on the disk of a node that is down. */
void stage_give_entry(struct stage *stage, node_id_t id, term_t term);

/* Its disk catches up. */
void stage_sync(struct stage *stage, node_id_t id);

/* Its election timeout expires now. */
void stage_campaign(struct stage *stage, node_id_t id);

/* Time passes. */
void stage_run(struct stage *stage, uint64_t for_us);

/* A client asks a node (takes the message); the answer is told, and stays in stage->answer. */
void stage_ask(struct stage *stage, node_id_t id, struct message *request);
struct message *stage_submit_request(const char *key, const char *n);
bool stage_answered(const struct stage *stage, enum message_type type);
bool stage_refused(const struct stage *stage, const char *code);

/* Sets the state of a node, whose number need not exist: a small entry of the log. Reads it back,
 * which a majority must confirm. */
void stage_set(struct stage *stage, node_id_t at, uint64_t index, uint64_t state);
void stage_read(struct stage *stage, node_id_t at, uint64_t index);

/* Campaigns and runs until the node serves; fails the test when it does not. */
void stage_elect(struct stage *stage, node_id_t id);

/* The one that serves in the highest term; NODE_NONE: nobody. */
node_id_t stage_coordinator(const struct stage *stage);

static inline struct node *stage_core(const struct stage *stage, node_id_t id)
{
    return stage->nodes[id].core;
}

/* Its rooms, as tests look at them most. */
static inline const struct raft *stage_raft(const struct stage *stage, node_id_t id)
{
    return inside_raft(stage_core(stage, id));
}

static inline const struct state *stage_state(const struct stage *stage, node_id_t id)
{
    return inside_state(stage_core(stage, id));
}

static inline const struct links *stage_links(const struct stage *stage, node_id_t id)
{
    return inside_links(stage_core(stage, id));
}

/* True when two nodes have the same log, committed equally far. */
bool stage_logs_are_equal(const struct stage *stage, node_id_t a, node_id_t b);

/* --- the story --- */

void stage_tell(struct stage *stage, enum stage_topic topic, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A line without a time, whatever the topics. */
void stage_line(struct stage *stage, const char *line);

/* True when the story so far has this in it. */
bool stage_told(const struct stage *stage, const char *words);
unsigned stage_told_times(const struct stage *stage, const char *words);
void stage_forget_story(struct stage *stage);

/* What a message says, in a line; false when there is nothing to tell of its type. */
bool stage_describe(const struct message *message, struct text *out, enum stage_topic *topic);

/* A node's log as the terms of its entries, and what is committed. */
void stage_describe_log(const struct stage *stage, node_id_t id, struct text *out);

#endif

/* snapshot.h - global snapshots by the algorithm of Chandy & Lamport (1985) on the channels.
 *
 * Recording the own state and queuing the markers on all outgoing channels is one step of the core,
 * so nothing can come between. The first marker of a snapshot makes a node record; the channel that
 * it came on is empty. What comes on any other channel before that channel's marker is in the
 * channel's state. When every channel has had its marker the node reports to the initiator, which
 * keeps what all have reported.
 *
 *   recording: open channels left --marker on each--> reported --> forgotten
 *                    \--initiator gives up, dies, or is silent--> forgotten
 *
 * A participant that dies, starts again or stays silent makes the snapshot partial: what is missing
 * is named, and it is never called complete. */
#ifndef CONCLAVE_CORE_SNAPSHOT_H
#define CONCLAVE_CORE_SNAPSHOT_H

#include "nodes/core/raft/raft.h"

/* What names a snapshot for ever: an incarnation is never repeated (see types.h). */
struct snapshot_id {
    node_id_t initiator;
    incarnation_t incarnation;
    uint64_t counter;
};

/* A channel into this node, while and after it is recorded. */
enum cut_channel_state {
    CUT_ABSENT, /* from a node that is no participant */
    CUT_OPEN,   /* recording: its marker has not come */
    CUT_CLOSED, /* its marker has come */
    CUT_VOID    /* another incarnation at its end: its content will never be known */
};

struct cut_channel {
    enum cut_channel_state state;
    uint64_t recorded;
    struct wire_cut_message *messages; /* texts in the recording's arena */
    size_t n_messages, messages_size;
    struct wire_cut_op *ops;
    size_t n_ops, ops_size;
};

/* What this node records, of one snapshot. */
struct recording {
    struct recording *next;
    struct snapshot_id id;
    struct wire_participant *participants; /* in the arena */
    size_t n_participants;
    uint64_t began_us;
    struct snapshots *all;  /* whose memory it takes a share of */
    uint64_t bytes;         /* that share */
    bool too_much;          /* it did not fit: the recording is given up */
    uint64_t noted_bytes;   /* of messages recorded so far ... */
    uint64_t noted_max;     /* ... beyond which what the channels held is given up */
    node_id_t first_marker; /* NODE_NONE: we are the initiator */
    bool values;            /* what is released from now on stays for a while */
    struct blob **parts;    /* of the report: the state, then the channels; owned */
    size_t n_parts, parts_size, sent_parts;
    void *rests[PARTICIPANTS_MAX]; /* of each room's part, what is not packed yet; NULL: all is */
    bool lost;                     /* a rest never will be: the recording is given up */
    unsigned open;                 /* channels whose marker has not come */
    bool closed;                   /* all have: the report is being sent */
    struct arena arena;
    struct cut_channel channels[]; /* by node */
};

/* What an initiator collects, of one snapshot. */
struct collected {
    const char
        *missing; /* why its report is not here and will not come; NULL: it is, or may come */
    incarnation_t incarnation;
    bool participant, done;
    struct blob **parts; /* owned */
    size_t n_parts, expected;
    uint64_t bytes, took_us;
};

struct collection {
    struct collection *next;
    struct snapshot_id id;
    uint64_t began_us, began_ms, deadline_us;
    uint64_t client, request; /* who waits; 0: nobody, it was taken by the clock */
    bool keeping;             /* complete or given up: on its way to the disk */
    struct message *head;     /* then: what will be listed */
    struct blob *file;        /* being filled from the reports, in slices; NULL: not yet, or done */
    size_t file_at, file_part;
    node_id_t file_node;
    uint64_t file_us;         /* when the next slice is due */
    uint64_t bytes;           /* of the reports: its share of the memory for snapshots */
    unsigned waiting;         /* participants that have not reported */
    struct collected nodes[]; /* by node */
};

/* A room whose state is recorded, too. */
struct cut_room {
    const struct participant *participant;
    void *room;
};

/* Zero-initialize, then set the first three, and let the participants join. */
struct snapshots {
    struct step *step;
    struct links *links;
    struct raft *raft;
    struct cut_room rooms[PARTICIPANTS_MAX]; /* in the order of their parts */
    size_t n_rooms;
    struct recording *recordings;
    struct collection *collections;
    size_t n_recordings, n_collections;
    uint64_t bytes, bytes_max;      /* of all that they hold (S10) */
    uint64_t send_us, send_bytes;   /* likewise of reports that are sent */
    uint64_t slice_us, slice_bytes; /* when a slice of ledgers began to be packed, and its bytes */
    uint64_t counter;               /* of the last one taken here, ever */
    struct snapshot_id *ended;      /* a ring of the last that ended here */
    size_t n_ended, next_ended;
    struct message **kept; /* heads of those on disk, oldest first; owned */
    size_t n_kept, kept_size;
    uint64_t periodic_us; /* when the clock takes the next one */
};

/* A room takes part from now on (borrows both). */
void snapshot_join(struct snapshots *snapshots, const struct participant *participant, void *room);

/* Takes a snapshot now. `client` is answered with its head once it is kept, or refused. 0: the
 * clock takes it. */
void snapshot_take(struct snapshots *snapshots, uint64_t client, uint64_t request);

/* A channel message that counts was delivered and is about to be processed. */
void snapshot_record(struct snapshots *snapshots, node_id_t from, const struct message *message);

void snapshot_marker(struct snapshots *snapshots, node_id_t from, const struct wire_marker *marker);
void snapshot_report(struct snapshots *snapshots, node_id_t from, const struct message *message);
void snapshot_end(struct snapshots *snapshots, node_id_t from, const struct wire_snapshot_end *end);

/* The peer lives as another incarnation, or its channel restarted: what was open is void. */
void snapshot_peer_met(struct snapshots *snapshots, node_id_t peer);

/* The snapshot's bytes are on disk. */
void snapshot_value_kept(struct snapshots *snapshots, struct value_id id);

/* True while the value is a snapshot of this node, on its disk or on its way there. */
bool snapshot_names(const struct snapshots *snapshots, struct value_id id);

/* It could not be kept: its taker is told. */
void snapshot_value_failed(struct snapshots *snapshots, struct value_id id);

/* Requests about snapshots are any node's to answer. */
void snapshot_request_take(struct snapshots *snapshots, uint64_t client, struct message *request);
void snapshot_request_list(struct snapshots *snapshots, uint64_t client, struct message *request);
void snapshot_request_get(struct snapshots *snapshots, uint64_t client, struct message *request);
void snapshot_request_value(struct snapshots *snapshots, uint64_t client, struct message *request);

/* Takes back a kept snapshot's head from disk. ERR_CORRUPT. */
int snapshot_restore(struct snapshots *snapshots, struct slice packed);

void snapshot_tick(struct snapshots *snapshots);
void snapshot_pump(struct snapshots *snapshots);
uint64_t snapshot_deadline(const struct snapshots *snapshots);
void snapshot_clear(struct snapshots *snapshots);
void snapshot_check_invariants(const struct snapshots *snapshots);

#endif

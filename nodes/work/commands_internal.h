/* commands_internal.h - shared by the files that implement the executor of command.h, and by nobody
 * else. All but `commands->requests` and `->results` is the thread's. */
#ifndef CONCLAVE_WORK_COMMANDS_INTERNAL_H
#define CONCLAVE_WORK_COMMANDS_INTERNAL_H

#include <sys/types.h>

#include "nodes/work/command_wire.h"

/* What the event loop asks the thread for. */
struct ask {
    struct mail mail; /* first */
    enum { ASK_RUN, ASK_CANCEL, ASK_STOP } kind;
    struct command_id id;
    int error;           /* it cannot be packed, and this is why */
    struct packed frame; /* RUN */
    uint64_t time_us;    /* its limit; 0: none */
    struct blob **blobs; /* of the frames BYTES, in their order */
    size_t n_blobs;
    bool cancelled, part;
    struct ask *next; /* of those that wait */
};

/* One spawner, or the place of one. */
struct slot {
    pid_t pid; /* 0: there is none */
    int fd;
    char record[512];
    struct ask *ask; /* what it runs; NULL: nothing */
    uint64_t serial; /* of that, as the spawner counts */
    uint64_t started_us;
    uint64_t kill_at_us; /* it has not answered by then: it hangs. UINT64_MAX: never */
    /* What is to be sent: the frame, then each blob behind its header, and last a cancel. */
    size_t part, offset; /* part 0: the frame; 2i + 1 and 2i + 2: header and bytes of blob i */
    uint8_t header[COMMAND_HEADER_BYTES];
    uint8_t cancel[COMMAND_HEADER_BYTES + 8];
    bool cancelling; /* the cancel is to be sent after that */
    size_t cancel_offset;
    uint8_t *in; /* what has come, up to a whole frame */
    size_t in_len, in_room;
};

struct commands {
    struct commands_config config; /* its strings are owned */
    char scratch[512], outputs[512], files[512];
    uint64_t nonce, files_soft;
    pthread_t thread;
    struct mailbox *requests, *results;
    struct slot *slots;
    struct ask *first, **last; /* those that wait, oldest first */
    size_t n_waiting;
    bool stopping;
};

/* --- commands_slot.c --- */

/* Starts its spawner, without waiting for it. False, with one line in `why`. */
bool slot_open(struct commands *commands, struct slot *slot, struct text *why);

/* Waits for its first answer, for some seconds. False, with one line in `why`. */
bool slot_wait_ready(struct commands *commands, struct slot *slot, struct text *why);

/* Kills it, and all that it has left. */
void slot_close(struct commands *commands, struct slot *slot);

/* Hands a command over (takes it). */
void slot_run(struct slot *slot, struct ask *ask);
void slot_cancel(struct slot *slot);

/* Sends what the socket takes. False: the spawner is gone. */
bool slot_send(struct slot *slot);
bool slot_wants_to_send(const struct slot *slot);

/* Reads what there is. False: the spawner is gone, or says what it should not; `why` has a line
 * when it was refused. */
bool slot_receive(struct slot *slot, struct command_result **result, struct text *why);

void ask_free(struct ask *ask);

#endif

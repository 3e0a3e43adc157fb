/* command_wire.h - what node and spawner say to each other, over a socket pair: frames with a kind
 * and a length, each at most COMMAND_FRAME_MAX_BYTES long but for BYTES, which nobody buffers.
 *
 *   node to spawner   CONFIG once; then for each command RUN, and a BYTES for each of its inputs
 *                     that is in memory (stdin first); CANCEL while it runs
 *   spawner to node   READY or REFUSED to CONFIG; RESULT to each RUN
 *
 * Both ends check what they get: a frame of an unknown kind, too long, cut short or with something
 * left over ends the connection, and with it the spawner. */
#ifndef CONCLAVE_WORK_COMMAND_WIRE_H
#define CONCLAVE_WORK_COMMAND_WIRE_H

#include "nodes/work/command.h"

/* A spec, or a result with both streams and the names of all files. */
#define COMMAND_FRAME_MAX_BYTES (4 * MIB_BYTES)
#define COMMAND_HEADER_BYTES    16

enum command_frame {
    FRAME_CONFIG = 1,
    FRAME_READY,
    FRAME_REFUSED,
    FRAME_RUN,
    FRAME_BYTES,
    FRAME_CANCEL,
    FRAME_RESULT,
    FRAME_KINDS
};

/* --- a frame that is being made --- */

/* Starts with the room of a header. Zero-initialize; caller frees .at. */
struct packed {
    uint8_t *at;
    size_t len, room;
};

void packed_u64(struct packed *packed, uint64_t number);
void packed_part(struct packed *packed, const void *at, size_t len);
void packed_text(struct packed *packed, const char *text); /* NULL: as "" with a mark */
/* Writes the header: the last thing to do. */
void packed_end(struct packed *packed, enum command_frame kind);

void command_header(uint8_t at[COMMAND_HEADER_BYTES], enum command_frame kind, uint64_t len);
/* False: no header of ours. */
bool command_header_read(const uint8_t at[COMMAND_HEADER_BYTES], enum command_frame *kind,
                         uint64_t *len);

/* --- one that has come --- */

/* Reads on while `ok`; the first fault clears it, and all that follows is 0 or NULL. */
struct unpacked {
    struct slice rest;
    bool ok;
};

uint64_t unpacked_u64(struct unpacked *in, uint64_t max);
struct slice unpacked_part(struct unpacked *in);
/* A terminated text, in the frame itself; NULL where packed_text() got NULL. */
const char *unpacked_text(struct unpacked *in);
/* Nothing is left and all was sound. */
bool unpacked_end(const struct unpacked *in);

/* --- what the frames hold --- */

/* What a spawner is told once. */
struct spawner_config {
    const char *dir, *scratch, *outputs, *record; /* paths; record: see survivors.h */
    const char *user;                             /* NULL: as the node */
    uint64_t nonce;      /* of this life of the node: part of the names of directories and files */
    uint64_t slot, node; /* slot from 0 */
    uint64_t files_soft; /* RLIMIT_NOFILE of the user */
};

void spawner_config_pack(struct packed *out, const struct spawner_config *config);
bool spawner_config_unpack(struct slice frame, struct spawner_config *config);

/* Of inputs in memory the lengths alone. ERR_TOO_BIG; ERR_MALFORMED. */
int command_pack(struct packed *out, const struct command *command);

/* A command as a spawner has it: all strings are in the frame. Caller frees with
 * command_order_clear(). */
struct command_order {
    struct command command; /* bytes.blob is never set; instead: */
    uint64_t stdin_len;     /* in a BYTES; UINT64_MAX: there is none */
    uint64_t *input_lens;   /* likewise, of each input */
    struct command_input *inputs;
    struct command_slice *slices; /* of all inputs, one after another */
    const char **argv, **env, **collect;
};

bool command_unpack(struct slice frame, struct command_order *order);
void command_order_clear(struct command_order *order);

void command_result_pack(struct packed *out, const struct command_result *result);
/* Fills in a zeroed result; its bytes and names are copies. False: not sound; free it all the
 * same. */
bool command_result_unpack(struct slice frame, struct command_result *result);

#endif

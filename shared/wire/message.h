/* message.h - the messages of schema.h as C structs, with their fields described for generic code.
 *
 * No msgpack here: the cores build and read messages through this header alone. */
#ifndef CONCLAVE_WIRE_MESSAGE_H
#define CONCLAVE_WIRE_MESSAGE_H

#include "shared/base/blob.h"
#include "shared/base/memory.h"
#include "shared/base/types.h"
#include "shared/wire/schema.h"

/* Where a message may stand; each socket accepts only its own. */
enum message_place {
    PLACE_LINK,        /* HELLO and WELCOME, on every plane */
    PLACE_CONTROL,     /* control plane, between nodes */
    PLACE_CHANNEL,     /* channel plane */
    PLACE_REPLICATION, /* checkpoint plane: entries and checkpoints between nodes */
    PLACE_VALUE,       /* value plane */
    PLACE_FEED,        /* heartbeat plane and the broker's feed */
    PLACE_REQUEST,     /* from a client */
    PLACE_REPLY,       /* to a client */
    PLACE_ENTRY,       /* an entry of the log, on disk and inside APPEND */
    PLACE_CHECKPOINT,  /* a part of a checkpoint, on disk and inside INSTALL */
    PLACE_CUT,         /* a part of a snapshot, on disk and inside SNAPSHOT_REPORT */
    PLACE_STORED       /* a record of a stored value */
};

/* --- the structs: struct wire_hello, struct wire_task_op, ... --- */

#define WIRE_U64(need, name, max, doc) uint64_t name;
#define WIRE_BOOL(need, name, doc)     bool name;
#define WIRE_STR(need, name, max, doc) struct slice name;
#define WIRE_BIN(need, name, max, doc) struct slice name;
#define WIRE_LIST(need, name, record, max, doc) \
    struct {                                    \
        struct wire_##record *at;               \
        size_t n;                               \
    } name;
#define R(name, FIELDS)                                            \
    struct wire_##name {                                           \
        FIELDS(WIRE_U64, WIRE_BOOL, WIRE_STR, WIRE_BIN, WIRE_LIST) \
    };
#define M(SYMBOL, name, FIELDS, where, doc) R(name, FIELDS)
/* The field `operator` is the member `opcode`: the other is a word of C++, which clang-format and
 * editors take it for. Its name on the wire stays, because a stringified argument is
 * not expanded. */
#define operator opcode
WIRE_RECORDS(R)
WIRE_MESSAGES(M)
#undef operator
#undef M
#undef R

enum message_type {
    MESSAGE_NONE = 0,
#define M(SYMBOL, name, FIELDS, where, doc) MESSAGE_##SYMBOL,
    WIRE_MESSAGES(M)
#undef M
        MESSAGE_TYPES
};

/* What every message on a channel begins with: message->as.channel reads it for any of them. */
struct wire_channel {
    CHANNEL_FIELDS(WIRE_U64)
};

/* What one ledger sends to another begins with: message->as.numbered. */
struct wire_numbered {
    NUMBERED_FIELDS(WIRE_U64)
};

/* What every request that changes accounts begins with: message->as.bank_change. */
struct wire_bank_change {
    BANK_CHANGE_FIELDS(WIRE_U64, WIRE_STR)
};

/* What every entry about finished operations begins with: message->as.done. */
struct wire_done {
    DONE_FIELDS(WIRE_U64, WIRE_LIST)
};

/* What every request begins with: message->as.request. The two that submit a job have the same
 * fields: message->as.submit reads them for both. */
struct wire_request {
    REQUEST_FIELDS(WIRE_U64)
};

/* A message with all that it points to. Reference-counted; one thread at a time. */
struct message {
    uint32_t refs;
    enum message_type type;
    struct arena arena;   /* owns what the slices and lists point to */
    size_t n_frames;      /* further frames, numbered from 1 in the fields that name them */
    struct blob **frames; /* owned references; in the arena */
    union {
        struct wire_channel channel;
        struct wire_request request;
        struct wire_done done;
        struct wire_numbered numbered;
        struct wire_bank_change bank_change;
#define M(SYMBOL, name, FIELDS, where, doc) struct wire_##name name;
        WIRE_MESSAGES(M)
#undef M
    } as;
};

/* True for the parts of a checkpoint. */
bool message_is_checkpoint(enum message_type type);

/* Returns a message of the type with all fields zero and one reference. */
struct message *message_new(enum message_type type);

/* Adds a reference and returns the same message. */
struct message *message_ref(struct message *message);

/* Drops the reference and nulls the pointer; the last one frees. Accepts NULL. */
void message_drop(struct message **message);

/* Returns a copy of the bytes that lives as long as the message (copies). */
struct slice message_copy(struct message *message, struct slice bytes);
struct slice message_text(struct message *message, const char *text);

/* Returns room for `n` records of `size` bytes, zeroed, that lives as long as the message. */
void *message_room(struct message *message, size_t n, size_t size);

/* Adds a further frame (takes a new reference to the blob); returns its number, from 1. */
uint64_t message_add_frame(struct message *message, struct blob *blob);

/* Returns the further frame of that number (borrows), or NULL when there is none or the number is
 * 0. */
struct blob *message_frame(const struct message *message, uint64_t number);

/* --- descriptions, for the codec, the printer, the tests and the documentation --- */

enum field_kind { FIELD_U64, FIELD_BOOL, FIELD_STR, FIELD_BIN, FIELD_LIST };

struct field {
    const char *name;
    size_t name_len;
    enum field_kind kind;
    bool required;
    uint64_t max;  /* greatest value, or greatest length in bytes or elements */
    size_t offset; /* in its struct */
    const struct record *(*record)(void); /* of a list's elements */
    const char *doc;
};

struct record {
    const char *name;
    const struct field *fields;
    size_t n_fields;
    size_t size; /* of its struct */
};

struct message_kind {
    const char *name;
    size_t name_len;
    const struct record *(*record)(void);
    enum message_place place;
    const char *doc;
};

/* A list as generic code sees it: every list field has this layout. */
struct record_list {
    void *at;
    size_t n;
};

/* Returns the description of a type, 1..MESSAGE_TYPES-1; NULL for any other. */
const struct message_kind *message_kind(enum message_type type);

/* Returns the type's name, "none" for one that does not exist. */
const char *message_name(enum message_type type);

/* Returns the type of that name, MESSAGE_NONE for one that does not exist. */
enum message_type message_type_of(struct slice name);

#endif

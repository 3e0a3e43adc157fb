/* pack.h - a second msgpack encoder, for tests only: an oracle for the codec, and a way to make
 * messages that are wrong in exactly one place. Written from the msgpack specification. */
#ifndef CONCLAVE_TESTS_PACK_H
#define CONCLAVE_TESTS_PACK_H

#include "shared/wire/message.h"

struct pack {
    size_t len;
    uint8_t at[512 * 1024];
};

/* Appends the head of a container or a scalar, in the shortest form. */
void pack_map(struct pack *pack, uint64_t pairs);
void pack_array(struct pack *pack, uint64_t elements);
void pack_number(struct pack *pack, uint64_t number);
void pack_string(struct pack *pack, const void *at, size_t len);
void pack_text(struct pack *pack, const char *text);
void pack_binary(struct pack *pack, const void *at, size_t len);
void pack_raw(struct pack *pack, const void *at, size_t len);

/* A change to make while a message is packed, wherever the field occurs. */
struct change {
    const struct field *field; /* NULL: none */
    struct slice instead;      /* these bytes for its value; of length 0: the pair is left out */
    bool optional_left_out;    /* all optional fields are left out */
    bool strange_keys;         /* unknown keys in every map, before, between and after the known */
    bool backwards;            /* the last field first, the type at the end */
};

/* Replaces what is in `pack` by the message; no limit is checked. */
void pack_message(struct pack *pack, const struct message *message, const struct change *change);

struct slice pack_bytes(const struct pack *pack);

#endif

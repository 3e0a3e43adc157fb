/* forge.h - messages as a hostile peer, client or disk could send them, made from a fuzzer's bytes
 * by the descriptions of the schema: a message that is added there is forged from then on. */
#ifndef CONCLAVE_FUZZ_FORGE_H
#define CONCLAVE_FUZZ_FORGE_H

#include "shared/wire/message.h"
#include "tests/fuzz/reader.h"

#define FORGE_NUMBERS_MAX 24

/* What a forger knows of the node that it attacks: fields take these more often than chance. */
struct forge {
    struct reader *in;
    uint64_t numbers[FORGE_NUMBERS_MAX];
    size_t n_numbers;
    struct slice cluster_id;
};

/* The types that may stand in a place, counted from 0: the input chooses one. */
enum message_type forge_type(struct forge *forge, enum message_place place);

/* A message of the type, its fields and further frames as the input says, within the limits of the
 * schema: it has been encoded and decoded again. NULL: this one cannot be encoded. Caller drops. */
struct message *forge_message(struct forge *forge, enum message_type type);

/* The same message as it comes out of the codec (takes it); NULL: it cannot be encoded. */
struct message *forge_transmit(struct message *message);

/* A message of the place, packed; NULL: it cannot be. Caller drops. */
struct blob *forge_packed(struct forge *forge, enum message_place place);

#endif

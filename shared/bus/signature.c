#include "shared/bus/signature.h"

#include <sodium.h>
#include <string.h>
#include <zmq.h>

#include "shared/base/bytes.h"
#include "shared/base/error.h"
#include "shared/base/hash.h"
#include "shared/base/mutant.h"

#define LABEL       "conclave request 1\n"
#define LABEL_LEN   (sizeof LABEL - 1)
#define CLUSTER_LEN 16
#define SIGNED_LEN  (LABEL_LEN + CLUSTER_LEN + KEY_TEXT_LEN + 3 * 8 + HASH_BYTES)

_Static_assert(crypto_sign_BYTES == SIGNATURE_BYTES, "Ed25519");
_Static_assert(crypto_sign_SEEDBYTES == KEY_BYTES && crypto_sign_PUBLICKEYBYTES == KEY_BYTES, "");

static void hash_frames(const struct signed_request *request, uint8_t hash[HASH_BYTES])
{
    struct hash_stream stream;
    uint8_t len[8];
    hash_begin(&stream);
    for (size_t i = 0; i < request->n; i++) {
        bytes_put_le64(len, request->frames[i].len);
        hash_add(&stream, len, sizeof len);
        hash_add(&stream, request->frames[i].at, request->frames[i].len);
    }
    hash_end(&stream, hash);
}

static void put_numbers(const struct signed_request *request, uint8_t at[3 * 8])
{
    bytes_put_le64(at, request->node);
    bytes_put_le64(at + 8, request->incarnation);
    bytes_put_le64(at + 16, request->counter);
}

static void write_signed(const struct signed_request *request, uint8_t at[SIGNED_LEN])
{
    memcpy(at, LABEL, LABEL_LEN);
    at += LABEL_LEN;
    memcpy(at, request->cluster, CLUSTER_LEN);
    at += CLUSTER_LEN;
    memcpy(at, request->public_key, KEY_TEXT_LEN);
    at += KEY_TEXT_LEN;
    put_numbers(request, at);
    hash_frames(request, at + 3 * 8);
}

void signature_make(const struct signed_request *request, const char *signing_secret,
                    uint8_t frame[SIGNATURE_FRAME])
{
    uint8_t bytes[SIGNED_LEN], public_key[KEY_BYTES];
    char *seed = secret_new(KEY_BYTES), *pair = secret_new(crypto_sign_SECRETKEYBYTES);
    zmq_z85_decode((uint8_t *)seed, signing_secret);
    crypto_sign_seed_keypair(public_key, (uint8_t *)pair, (const uint8_t *)seed);
    write_signed(request, bytes);
    put_numbers(request, frame);
    crypto_sign_detached(frame + 3 * 8, NULL, bytes, sizeof bytes, (const uint8_t *)pair);
    secret_free(&pair);
    secret_free(&seed);
}

int signature_check(struct signed_request *request, struct slice frame, const char *signing_key)
{
    uint8_t bytes[SIGNED_LEN], public_key[KEY_BYTES];
    if (frame.len != SIGNATURE_FRAME || bytes_get_le64(frame.at) > NODES_MAX)
        return ERR_MALFORMED;
    request->node = (node_id_t)bytes_get_le64(frame.at);
    request->incarnation = bytes_get_le64(frame.at + 8);
    request->counter = bytes_get_le64(frame.at + 16);
    if (!key_is_valid(signing_key, strlen(signing_key)) || strlen(request->cluster) != CLUSTER_LEN)
        return ERR_REFUSED;
    zmq_z85_decode(public_key, signing_key);
    write_signed(request, bytes);
    bool fits = !crypto_sign_verify_detached(frame.at + 3 * 8, bytes, sizeof bytes, public_key);
    return fits || MUTANT(signatures_unchecked) ? OK : ERR_REFUSED;
}

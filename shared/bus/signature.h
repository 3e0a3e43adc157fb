/* signature.h - the signature of a request: that whoever has the secret signing key of a client has
 * asked one node for just this, once.
 *
 * Ed25519 (RFC 8032, libsodium's crypto_sign) over these bytes; numbers are 64 bits, little-endian:
 *
 *   "conclave request 1\n"   19 bytes
 *   the cluster's id         16 hexadecimal digits
 *   the client's public key  40 characters of Z85: the one of its connection
 *   node, incarnation        whom it is for: in another life of a node, or at another node, it is
 * void counter                  greater than the last one that this life of the node took from this
 * key SHA-256                  of the request's frames, the signature left out: length and bytes of
 * each
 *
 * It is the last frame of the request: node, incarnation, counter, and the 64 bytes of the
 * signature. An empty last frame asks what is to be signed. The bytes come from outside and are not
 * to be trusted. */
#ifndef CONCLAVE_BUS_SIGNATURE_H
#define CONCLAVE_BUS_SIGNATURE_H

#include "shared/base/limits.h"
#include "shared/base/types.h"
#include "shared/bus/secret.h"

#define SIGNATURE_BYTES 64
#define SIGNATURE_FRAME (3 * 8 + SIGNATURE_BYTES)

/* What a signature is for. Strings: borrowed. */
struct signed_request {
    const char *cluster;    /* 16 digits */
    const char *public_key; /* the client's, Z85 */
    node_id_t node;
    incarnation_t incarnation;
    uint64_t counter;
    const struct slice *frames; /* without the signature */
    size_t n;
};

/* Makes the last frame. `signing_secret`: Z85. */
void signature_make(const struct signed_request *request, const char *signing_secret,
                    uint8_t frame[SIGNATURE_FRAME]);

/* Reads node, incarnation and counter of a frame into the request, and checks the signature with
 * the client's public signing key (Z85): ERR_MALFORMED: it is none; ERR_REFUSED: it does not fit.
 */
int signature_check(struct signed_request *request, struct slice frame, const char *signing_key);

#endif

#include "shared/bus/secret.h"

#include <fcntl.h>
#include <sodium.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "shared/base/error.h"

/* Bits of core(5): only the headers of mapped programs, so that their versions can be told. */
#define CORE_FILTER "0x10"

char *secret_new(size_t len)
{
    char *at = sodium_init() < 0 ? NULL : sodium_malloc(len);
    if (!at)
        panic("no memory for %zu bytes of secrets", len);
    memset(at, 0, len);
    return at;
}

void secret_free(char **secret)
{
    sodium_free(*secret);
    *secret = NULL;
}

void secret_make_pair(char public_key[KEY_TEXT_MAX], char **secret_key)
{
    uint8_t public_bytes[KEY_BYTES];
    char *secret_bytes = secret_new(KEY_BYTES);
    *secret_key = secret_new(KEY_TEXT_MAX);
    crypto_box_keypair(public_bytes, (uint8_t *)secret_bytes);
    zmq_z85_encode(public_key, public_bytes, KEY_BYTES);
    zmq_z85_encode(*secret_key, (uint8_t *)secret_bytes, KEY_BYTES);
    secret_free(&secret_bytes);
}

void secret_derive(const char *secret_key, char public_key[KEY_TEXT_MAX])
{
    uint8_t public_bytes[KEY_BYTES];
    char *secret_bytes = secret_new(KEY_BYTES);
    zmq_z85_decode((uint8_t *)secret_bytes, secret_key);
    crypto_scalarmult_base(public_bytes, (uint8_t *)secret_bytes);
    zmq_z85_encode(public_key, public_bytes, KEY_BYTES);
    secret_free(&secret_bytes);
}

void secret_derive_signing(const char *secret_key, char public_key[KEY_TEXT_MAX])
{
    uint8_t public_bytes[KEY_BYTES];
    char *seed = secret_new(KEY_BYTES), *pair = secret_new(crypto_sign_SECRETKEYBYTES);
    zmq_z85_decode((uint8_t *)seed, secret_key);
    crypto_sign_seed_keypair(public_bytes, (uint8_t *)pair, (const uint8_t *)seed);
    zmq_z85_encode(public_key, public_bytes, KEY_BYTES);
    secret_free(&pair);
    secret_free(&seed);
}

void secret_make_signing_pair(char public_key[KEY_TEXT_MAX], char **secret_key)
{
    char *seed = secret_new(KEY_BYTES);
    *secret_key = secret_new(KEY_TEXT_MAX);
    randombytes_buf(seed, KEY_BYTES);
    zmq_z85_encode(*secret_key, (uint8_t *)seed, KEY_BYTES);
    secret_derive_signing(*secret_key, public_key);
    secret_free(&seed);
}

bool key_is_valid(const char *text, size_t len)
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 ".-:+=^!/*?&<>()[]{}@%$#";
    if (len != KEY_TEXT_LEN)
        return false;
    uint64_t group = 0;
    for (size_t i = 0; i < len; i++) {
        const char *digit = text[i] ? strchr(digits, text[i]) : NULL;
        if (!digit)
            return false;
        group = (i % 5 ? group * 85 : 0) + (uint64_t)(digit - digits);
        if (i % 5 == 4 && group > UINT32_MAX)
            return false; /* five digits for four bytes */
    }
    return true;
}

void secret_hide_memory(void)
{
    int fd = open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);
    ssize_t written = fd < 0 ? 0 : write(fd, CORE_FILTER, strlen(CORE_FILTER));
    (void)written; /* without /proc there is nobody to tell */
    if (fd >= 0)
        close(fd);
}

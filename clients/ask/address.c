#include "clients/ask/address.h"

#include <string.h>

#include "shared/base/error.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"

#define SCHEME "tcp://"

/* "7000" alone is a port that somebody took for an address. */
static bool is_host(struct slice word)
{
    bool number = true;
    if (!word.len || word.len >= ADDRESS_HOST_MAX)
        return false;
    for (size_t i = 0; i < word.len; i++) {
        if (word.at[i] <= ' ' || word.at[i] >= 0x7f || strchr("/;:,*\\", word.at[i]))
            return false;
        number = number && word.at[i] >= '0' && word.at[i] <= '9';
    }
    return !number;
}

static int parse_one(struct slice word, struct address *out)
{
    size_t scheme = strlen(SCHEME);
    uint64_t port = PORT_DEFAULT;
    if (word.len >= scheme && !memcmp(word.at, SCHEME, scheme))
        word = (struct slice){word.at + scheme, word.len - scheme};
    const uint8_t *colon = word.len ? memchr(word.at, ':', word.len) : NULL;
    struct slice host = {word.at, colon ? (size_t)(colon - word.at) : word.len};
    struct slice after = {host.at + host.len + 1, colon ? word.len - host.len - 1 : 0};
    if (!is_host(host) || (colon && (parse_u64(after, PORT_LIMIT * 2 - 2, &port) || !port)))
        return ERR_MALFORMED;
    memcpy(out->host, host.at, host.len);
    out->host[host.len] = '\0';
    out->port = (unsigned)port;
    return OK;
}

int addresses_parse(const char *list, struct addresses *out, char *why)
{
    out->n = 0;
    for (const char *at = list;; at++) {
        size_t len = strcspn(at, ",");
        char shown[TEXT_MAX / 4];
        struct slice word = {(const uint8_t *)at, len};
        while (word.len && *word.at == ' ')
            word = (struct slice){word.at + 1, word.len - 1};
        if (out->n == BROKERS_MAX) {
            text_format(why, TEXT_MAX, "--broker names more than %d brokers", BROKERS_MAX);
            return ERR_MALFORMED;
        }
        if (parse_one(word, &out->at[out->n])) {
            text_format(why, TEXT_MAX,
                        "--broker: '%s' is not an address, which looks like tcp://127.0.0.1:7000, "
                        "HOST:PORT or HOST",
                        text_escape(shown, sizeof shown, word));
            return ERR_MALFORMED;
        }
        out->n++;
        at += len;
        if (!*at)
            return OK;
    }
}

char *address_text(const struct address *address, char at[ADDRESS_TEXT_MAX])
{
    text_format(at, ADDRESS_TEXT_MAX, SCHEME "%s:%u", address->host, address->port);
    return at;
}

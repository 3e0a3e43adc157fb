#include "clients/ask/address.h"

#include <stdbool.h>
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

/* "[::1]" or "::1": digits of IPv6. */
static bool is_ipv6(struct slice word)
{
    for (size_t i = 0; i < word.len; i++)
        if (!strchr("0123456789abcdefABCDEF:.%", word.at[i]) || !word.at[i])
            return false;
    return word.len && word.len < ADDRESS_HOST_MAX && memchr(word.at, ':', word.len);
}

/* Splits off ":PORT". An address of IPv6 with a port stands in brackets; without a port it need
 * not. */
static bool split(struct slice word, struct slice *host, struct slice *port)
{
    const uint8_t *first = word.len ? memchr(word.at, ':', word.len) : NULL;
    const uint8_t *close = word.len && *word.at == '[' ? memchr(word.at, ']', word.len) : NULL;
    bool bare = first && memchr(first + 1, ':', (size_t)(word.at + word.len - first - 1));
    const uint8_t *end = word.at + word.len, *colon = close ? close + 1 : bare ? end : first;
    *host = close ? (struct slice){word.at + 1, (size_t)(close - word.at - 1)}
                  : (struct slice){word.at, (size_t)((colon ? colon : end) - word.at)};
    *port = (struct slice){0};
    if (!colon || colon == end)
        return close || bare ? is_ipv6(*host) : is_host(*host);
    *port = (struct slice){colon + 1, (size_t)(end - colon - 1)};
    return *colon == ':' && port->len && (close ? is_ipv6(*host) : is_host(*host));
}

static int parse_one(struct slice word, struct address *out)
{
    size_t scheme = strlen(SCHEME);
    uint64_t number = PORT_DEFAULT;
    struct slice host, port;
    if (slice_begins(word, slice_of(SCHEME)))
        word = (struct slice){word.at + scheme, word.len - scheme};
    if (!split(word, &host, &port) ||
        (port.len && (parse_u64(port, PORT_LIMIT * 2 - 2, &number) || !number)))
        return ERR_MALFORMED;
    slice_copy(out->host, host);
    out->host[host.len] = '\0';
    out->port = (unsigned)number;
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
    bool ipv6 = strchr(address->host, ':');
    text_format(at, ADDRESS_TEXT_MAX, SCHEME "%s%s%s:%u", ipv6 ? "[" : "", address->host,
                ipv6 ? "]" : "", address->port);
    return at;
}

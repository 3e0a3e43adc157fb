#include "clients/ask/address.h"

#include <string.h>

#include "shared/base/error.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"

#define SCHEME "tcp://"

static int parse_one(struct slice word, struct address *out)
{
    size_t scheme = strlen(SCHEME);
    if (word.len >= scheme && !memcmp(word.at, SCHEME, scheme))
        word = (struct slice){word.at + scheme, word.len - scheme};
    size_t colon = word.len;
    while (colon > 0 && word.at[colon - 1] != ':')
        colon--;
    uint64_t port;
    if (colon < 2 || colon > ADDRESS_HOST_MAX ||
        parse_u64((struct slice){word.at + colon, word.len - colon}, PORT_LIMIT * 2 - 2, &port) ||
        !port)
        return ERR_MALFORMED;
    for (size_t i = 0; i < colon - 1; i++)
        if (word.at[i] <= ' ' || word.at[i] >= 0x7f || strchr("/;,*\\", word.at[i]))
            return ERR_MALFORMED;
    memcpy(out->host, word.at, colon - 1);
    out->host[colon - 1] = '\0';
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
                        "--broker: '%s' is not an address, which looks like tcp://127.0.0.1:7000",
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

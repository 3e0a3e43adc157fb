#include "clients/web/guard.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "shared/base/text.h"

#define BEARER "Bearer "

/* Returns the length of the name before the port; 0: this is no host with or without a port. */
static size_t name_len(const char *host)
{
    size_t len = host[0] == '[' ? strcspn(host, "]") : strcspn(host, ":");
    if (host[0] == '[' && host[len] == ']')
        len++;
    const char *port = host + len;
    if (*port == ':')
        port++;
    else if (*port)
        return 0;
    return port[strspn(port, "0123456789")] ? 0 : len;
}

static bool is_ours(const struct guard *guard, const char *host)
{
    size_t len = name_len(host);
    for (size_t i = 0; len && i < guard->n_hosts; i++)
        if (strlen(guard->hosts[i]) == len && !strncasecmp(guard->hosts[i], host, len))
            return true;
    return false;
}

/* The same host and port as in the request; TLS may end before us. */
static bool is_same_origin(const char *origin, const char *host)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (!strncasecmp(origin, schemes[i], strlen(schemes[i])))
            return !strcasecmp(origin + strlen(schemes[i]), host);
    return false;
}

/* In a time that does not tell how much of it is right. */
static bool has_token(const struct guard *guard, const char *authorization)
{
    if (!authorization || strncasecmp(authorization, BEARER, strlen(BEARER)))
        return false;
    const char *given = authorization + strlen(BEARER);
    unsigned char differs = strlen(given) != WEB_TOKEN_TEXT || !guard->token[0];
    for (size_t i = 0; i < WEB_TOKEN_TEXT && given[i]; i++)
        differs |= (unsigned char)(given[i] ^ guard->token[i]);
    return !differs;
}

enum guard_verdict guard_check(const struct guard *guard, const struct guard_headers *headers,
                               enum guard_need need)
{
    const char *site = headers->fetch_site;
    if (headers->twice || !headers->host || !name_len(headers->host))
        return GUARD_MALFORMED;
    if (!is_ours(guard, headers->host))
        return GUARD_FOREIGN_HOST;
    if (headers->origin && !is_same_origin(headers->origin, headers->host))
        return GUARD_FOREIGN_ORIGIN;
    /* A link on another site may lead to the page, which holds nothing. */
    if (need != GUARD_PAGE && site && strcmp(site, "same-origin") && strcmp(site, "none"))
        return GUARD_FOREIGN_ORIGIN;
    bool needs_token = need == GUARD_CHANGE || (need == GUARD_READ && guard->open);
    return needs_token && !has_token(guard, headers->authorization) ? GUARD_NO_TOKEN : GUARD_OK;
}

const char *guard_text(enum guard_verdict verdict)
{
    static const char *const texts[] = {
        [GUARD_OK] = "",
        [GUARD_MALFORMED] = "a header that is needed once is missing, repeated or malformed",
        [GUARD_FOREIGN_HOST] =
            "the request names a host that is not this one (--host NAME adds one)",
        [GUARD_FOREIGN_ORIGIN] = "the request comes from a page of another site",
        [GUARD_NO_TOKEN] = "this needs the token: Authorization: Bearer TOKEN",
    };
    return texts[verdict];
}

bool guard_is_loopback(const char *address)
{
    struct in_addr four;
    struct in6_addr six;
    if (inet_pton(AF_INET, address, &four) == 1)
        return ntohl(four.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, address, &six) == 1)
        return IN6_IS_ADDR_LOOPBACK(&six);
    return !strcmp(address, "localhost");
}

bool guard_add_host(struct guard *guard, const char *host)
{
    size_t room = sizeof guard->hosts / sizeof *guard->hosts, len = strlen(host);
    if (guard->n_hosts == room || !len || len >= GUARD_HOST_MAX || name_len(host) != len)
        return false;
    text_format(guard->hosts[guard->n_hosts++], GUARD_HOST_MAX, "%s", host);
    return true;
}

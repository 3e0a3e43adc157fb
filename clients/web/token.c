#include "clients/web/token.h"

#include <fcntl.h>
#include <string.h>

#include "shared/base/error.h"
#include "shared/base/hash.h"
#include "shared/base/private_file.h"
#include "shared/bus/access.h"

_Static_assert(WEB_TOKEN_TEXT == 2 * HASH_BYTES, "a token is written as a hash is");

static int read_token(const char *path, char token[WEB_TOKEN_TEXT + 1], struct text *why)
{
    char *bytes = NULL;
    size_t len = 0;
    int error = access_read_private(AT_FDCWD, path, path, WEB_TOKEN_TEXT + 2, &bytes, &len, why);
    if (error)
        return error;
    bytes[len] = '\0';
    bytes[strcspn(bytes, "\r\n")] = '\0';
    bool good = strspn(bytes, "0123456789abcdef") == WEB_TOKEN_TEXT && !bytes[WEB_TOKEN_TEXT];
    if (good)
        memcpy(token, bytes, WEB_TOKEN_TEXT + 1);
    else
        text_add(why, "%s holds no token: %d hexadecimal digits", path, WEB_TOKEN_TEXT);
    secret_free(&bytes);
    return good ? OK : ERR_MALFORMED;
}

int token_find(const char *path, char token[WEB_TOKEN_TEXT + 1], bool *made, struct text *why)
{
    uint8_t random[HASH_BYTES];
    char line[HASH_TEXT_MAX + 1];
    *made = false;
    int error = path ? read_token(path, token, why) : ERR_NOT_FOUND;
    if (error != ERR_NOT_FOUND)
        return error;
    *why = (struct text){0};
    hash_random(random, sizeof random);
    hash_text(random, token);
    *made = true;
    if (!path)
        return OK;
    size_t len = text_format(line, sizeof line, "%s\n", token);
    return private_file_put(path, (struct slice){(const uint8_t *)line, len}, false, why);
}

#include "shared/base/session_key.h"

#include <inttypes.h>
#include <string.h>

#include "shared/base/error.h"
#include "shared/base/text.h"

#define PREFIX     "session-"
#define PREFIX_LEN (sizeof PREFIX - 1)
#define HEX_DIGITS 16

void session_key_write(char at[SESSION_KEY_MAX + 1], struct session_key key)
{
    text_format(at, SESSION_KEY_MAX + 1, PREFIX "%016" PRIx64 "-%016" PRIx64 "-%" PRIu64, key.id,
                key.token, key.sequence);
}

/* Takes 16 digits and the dash after them. */
static bool take_hex(struct slice *rest, uint64_t *out)
{
    *out = 0;
    if (rest->len <= HEX_DIGITS || rest->at[HEX_DIGITS] != '-')
        return false;
    for (size_t i = 0; i < HEX_DIGITS; i++) {
        uint8_t digit = rest->at[i];
        if (digit >= '0' && digit <= '9')
            *out = *out << 4 | (uint64_t)(digit - '0');
        else if (digit >= 'a' && digit <= 'f')
            *out = *out << 4 | (uint64_t)(digit - 'a' + 10);
        else
            return false;
    }
    *rest = (struct slice){rest->at + HEX_DIGITS + 1, rest->len - HEX_DIGITS - 1};
    return true;
}

bool session_key_parse(struct slice text, struct session_key *out)
{
    if (text.len <= PREFIX_LEN || !slice_begins(text, slice_of(PREFIX)))
        return false;
    struct slice rest = {text.at + PREFIX_LEN, text.len - PREFIX_LEN};
    /* One text for each key: no zeros before the number. */
    return take_hex(&rest, &out->id) && take_hex(&rest, &out->token) && rest.at[0] != '0' &&
           parse_u64(rest, UINT64_MAX, &out->sequence) == OK;
}

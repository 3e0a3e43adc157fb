#include "shared/tasks/operator.h"

#include <string.h>

#include "shared/base/error.h"
#include "shared/wire/codec.h"

static bool is_alphanumeric(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9');
}

bool operator_name_is_valid(struct slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!is_alphanumeric(name.at[i]) && (!i || !memchr("._-", name.at[i], 3)))
            return false;
    return name.len && name.len <= OPERATOR_NAME_MAX;
}

int operator_load(struct blob *bytes, struct message **out, struct text *why)
{
    int error = codec_unpack_shared(bytes, out, why);
    if (!error && ((*out)->type != MESSAGE_OPERATOR_SPEC || (*out)->n_frames != 1 ||
                   !operator_name_is_valid((*out)->as.operator_spec.name))) {
        text_add(why, "it is not what `op add` stores");
        error = ERR_MALFORMED;
    }
    if (error)
        message_drop(out);
    return error ? ERR_MALFORMED : OK;
}

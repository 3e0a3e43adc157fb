#include "clients/show/printable.h"

#include <stdlib.h>
#include <string.h>

#include "shared/base/error.h"
#include "shared/base/memory.h"
#include "shared/base/text.h"

/* How many bytes the character at the begin has; 0: it is none. */
static size_t character_len(struct slice bytes)
{
    for (size_t len = 1; len <= 4 && len <= bytes.len; len++)
        if (!bytes.at[0] || text_is_utf8((struct slice){bytes.at, len}))
            return len;
    return 0;
}

json_t *printable_json(struct slice bytes)
{
    static const char unknown[] = "\xef\xbf\xbd";
    char *at = mem_new(3 * bytes.len + 1, 1);
    size_t len = 0;
    while (bytes.len) {
        size_t taken = character_len(bytes);
        if (taken)
            memcpy(at + len, bytes.at, taken);
        else
            memcpy(at + len, unknown, sizeof unknown - 1);
        len += taken ? taken : sizeof unknown - 1;
        taken += !taken;
        bytes = (struct slice){bytes.at + taken, bytes.len - taken};
    }
    json_t *text = json_stringn(at, len);
    if (!text)
        panic("bytes cannot be made a text of JSON");
    free(at);
    return text;
}

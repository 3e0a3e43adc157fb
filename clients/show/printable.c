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

/* The next character in its form for people; returns how many bytes of the input it took. */
static size_t take_character(struct slice bytes, struct text *out)
{
    size_t taken = character_len(bytes);
    bool control = bytes.at[0] < 0x20 || bytes.at[0] == 0x7f;
    /* C1 controls, which terminals obey. */
    control = control || (taken == 2 && bytes.at[0] == 0xc2 && bytes.at[1] < 0xa0);
    out->len = 0;
    if (taken && !control) {
        text_add(out, "%.*s", (int)taken, (const char *)bytes.at);
        return taken;
    }
    text_add(out, "\\x%02x", bytes.at[0]);
    return 1;
}

size_t printable_text(struct slice bytes, char *at, size_t size, size_t columns)
{
    struct text one = {0};
    size_t len = 0, used = 0, mark_len = 0, mark_used = 0; /* mark: where "..." still fits */
    while (bytes.len) {
        size_t taken = take_character(bytes, &one);
        size_t wide = one.at[0] == '\\' && one.len == 4 ? 4 : 1;
        if (used + wide > columns || len + one.len >= size) {
            len = mark_len;
            used = mark_used;
            for (size_t i = 0; i < 3 && len + 1 < size; i++, used++)
                at[len++] = '.';
            break;
        }
        slice_copy(at + len, slice_of(one.at));
        len += one.len;
        used += wide;
        if (used + 3 <= columns && len + 4 <= size) {
            mark_len = len;
            mark_used = used;
        }
        bytes = (struct slice){bytes.at + taken, bytes.len - taken};
    }
    at[len] = '\0';
    return used;
}

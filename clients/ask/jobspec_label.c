/* jobspec_label.c - what jobs are called, and their keys: what is needed of them without the words
 * of people (jobspec.c). */
#include <string.h>

#include "clients/ask/job_inputs.h"
#include "clients/ask/jobspec.h"
#include "nodes/core/kinds/kinds.h"
#include "shared/base/hash.h"

void jobspec_clear(struct jobspec *spec)
{
    job_inputs_destroy(&spec->inputs);
}

char *jobspec_label(struct slice kind, struct slice spec, char at[JOBSPEC_LABEL_MAX])
{
    char left[JOB_KIND_MAX * 4 + 1], right[JOB_SPEC_MAX + 1];
    text_escape(left, sizeof left, kind);
    text_escape(right, sizeof right, spec);
    const struct job_kind *known = kind_find(kind); /* a newer node may know more */
    struct text label = {0};
    if (known)
        kind_label(known, right, &label);
    else
        text_add(&label, "%s(%s)", left, right);
    text_format(at, JOBSPEC_LABEL_MAX, "%s", label.at);
    return at;
}

void jobspec_new_key(char at[JOB_KEY_TEXT_MAX])
{
    uint8_t b[16];
    hash_random(b, sizeof b);
    b[6] = (uint8_t)(0x40 | (b[6] & 0x0f));
    b[8] = (uint8_t)(0x80 | (b[8] & 0x3f));
    size_t len = 0;
    for (size_t i = 0; i < sizeof b; i++)
        len += text_format(at + len, JOB_KEY_TEXT_MAX - len, "%s%02x",
                           i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", b[i]);
}

bool jobspec_key_is_valid(const char *key)
{
    size_t len = strlen(key);
    for (size_t i = 0; i < len; i++)
        if (key[i] <= ' ' || key[i] >= 0x7f)
            return false;
    return len > 0 && len <= JOB_KEY_MAX;
}

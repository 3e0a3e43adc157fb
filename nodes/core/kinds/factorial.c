/* N!: a tree of products over the integers N..1, and the conversion of its root to text. */
#include <inttypes.h>

#include "nodes/core/kinds/kinds_table.h"
#include "shared/base/error.h"

static size_t count_words(struct slice spec)
{
    size_t n = 0;
    for (size_t i = 0; i < spec.len; i++)
        n += spec.at[i] != ' ' && (!i || spec.at[i - 1] == ' ');
    return n;
}

static int parse(struct slice spec, uint64_t *n, struct text *why)
{
    char shown[TEXT_MAX / 4];
    int error = parse_u64(spec, UINT64_MAX, n);
    text_escape(shown, sizeof shown, spec);
    if (!error)
        return OK;
    if (count_words(spec) != 1)
        text_add(why, "factorial takes one whole number, such as `factorial 10`; got %zu words",
                 count_words(spec));
    else if (error == ERR_RANGE)
        text_add(why, "factorial %s: the number is too large; at most %" PRIu64 " can be asked for",
                 shown, UINT64_MAX);
    else
        text_add(why, "factorial takes a whole number of digits 0 to 9 only, not '%s'", shown);
    return error;
}

/* N! is below N^N. */
static uint64_t cost(uint64_t n)
{
    uint64_t bits = 1;
    while (bits < 64 && n >> bits)
        bits++;
    return n > UINT64_MAX / bits ? UINT64_MAX / 8 : n * bits / 8 + 1;
}

static void plan_stages(struct plan *plan)
{
    plan_add_tree(plan, OPCODE_MULTIPLY, plan->n ? plan->n : 1);
    plan_add_one(plan, OPCODE_TEXT);
}

static void label(const char *spec, struct text *out)
{
    text_add(out, "%s!", spec);
}

const struct job_kind kind_factorial = {
    .name = "factorial",
    .parse = parse,
    .cost = cost,
    .plan = plan_stages,
    .label = label,
};

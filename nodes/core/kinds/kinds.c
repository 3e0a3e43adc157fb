#include "nodes/core/kinds/kinds.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "nodes/core/kinds/kinds_table.h"
#include "shared/base/error.h"

static const struct job_kind *const kinds[] = {
#define X(name) &kind_##name,
    JOB_KINDS(X)
#undef X
};

#define KINDS (sizeof kinds / sizeof *kinds)

const struct job_kind *kind_at(size_t i)
{
    return i < KINDS ? kinds[i] : NULL;
}

const struct job_kind *kind_find(struct slice name)
{
    for (size_t i = 0; i < KINDS; i++)
        if (slice_equals(name, kinds[i]->name))
            return kinds[i];
    return NULL;
}

void kinds_list(struct text *out)
{
    for (size_t i = 0; i < KINDS; i++)
        text_add(out, "%s%s", i ? ", " : "", kinds[i]->name);
}

int plan_parse(struct plan *plan, struct slice kind, struct slice spec, struct text *why)
{
    struct text unread = {0};
    char shown[JOB_KIND_MAX * 4 + 1];
    why = why ? why : &unread;
    *plan = (struct plan){.kind = kind_find(kind)};
    if (!plan->kind) {
        text_add(why, "unknown kind of job '%s'; known: ", text_escape(shown, sizeof shown, kind));
        kinds_list(why);
        return ERR_UNSUPPORTED;
    }
    int error = plan->kind->parse(spec, &plan->n, why);
    if (!error)
        plan->kind->plan(plan);
    return error;
}

static bool is_power_of_four(uint64_t number)
{
    return number && !(number & (number - 1)) && !(__builtin_ctzll(number) & 1);
}

int plan_set_ranges(struct plan *plan, uint64_t ranges)
{
    if (ranges && (!plan->kind->range || plan->n < plan->kind->ranges_from))
        return ERR_UNSUPPORTED;
    if (ranges && (ranges == 1 || ranges > PLAN_RANGES_MAX || !is_power_of_four(ranges)))
        return ERR_RANGE;
    if (ranges == plan->ranges)
        return OK; /* as most jobs: nothing is laid out twice */
    *plan = (struct plan){.kind = plan->kind, .n = plan->n, .ranges = ranges};
    plan->kind->plan(plan);
    return OK;
}

int plan_choice_parse(struct slice name, enum plan_choice *choice)
{
    *choice = slice_equals(name, "primes") ? PLAN_PRIMES
              : slice_equals(name, "tree") ? PLAN_TREE
                                           : PLAN_FASTER;
    return *choice == PLAN_FASTER && name.len ? ERR_MALFORMED : OK;
}

uint64_t plan_choose_ranges(const struct plan *plan, enum plan_choice choice, uint64_t workers)
{
    const struct job_kind *kind = plan->kind;
    uint64_t from = choice == PLAN_PRIMES ? kind->ranges_from : kind->ranges_faster_from;
    uint64_t ranges = PLAN_RANGES_MIN;
    if (choice == PLAN_TREE || !kind->range || plan->n < from)
        return 0;
    while (ranges < workers * RANGES_PER_WORKER && ranges < PLAN_RANGES_MAX)
        ranges *= OPERANDS_MAX;
    return ranges;
}

uint64_t plan_cost(const struct plan *plan)
{
    return plan->kind->cost(plan->n);
}

void plan_spec(const struct plan *plan, struct text *out)
{
    text_add(out, "%" PRIu64, plan->n);
}

void plan_name(const struct plan *plan, struct text *out)
{
    text_add(out, "%s ", plan->kind->name);
    plan_spec(plan, out);
}

void plan_label(const struct plan *plan, struct text *out)
{
    struct text spec = {0};
    plan_spec(plan, &spec);
    plan->kind->label(spec.at, out);
}

void kinds_check_invariants(void)
{
    for (size_t i = 0; i < KINDS; i++) {
        const struct job_kind *kind = kinds[i];
        assert(kind->name[0] && strlen(kind->name) <= JOB_KIND_MAX);
        assert(kind->parse && kind->cost && kind->plan && kind->label);
        assert(kind_find(slice_of(kind->name)) == kind);
        assert(!kind->range || (kind->range_bytes && kind->ranges_from &&
                                kind->ranges_from <= kind->ranges_faster_from));
    }
    for (enum opcode opcode = 0; opcode < OPCODES; opcode++) {
        const struct operator_traits *traits = operator_traits(opcode);
        enum opcode found = OPCODES;
        assert(operator_find(slice_of(traits->name), &found) && found == opcode);
        assert(traits->operands_max >= 1 && traits->operands_max <= OPERANDS_MAX);
    }
}

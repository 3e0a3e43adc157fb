#include "nodes/core/kinds/kinds.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "nodes/core/kinds/kinds_table.h"
#include "shared/base/error.h"
#include "shared/base/whole.h"

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

/* The kind that somebody may have meant; NULL: none is near. */
static const char *nearest_kind(struct slice given)
{
    const char *near = NULL;
    size_t slips = TEXT_FAR;
    for (size_t i = 0; i < KINDS; i++)
        if (text_nearer(given, slice_of(kinds[i]->name), &slips))
            near = kinds[i]->name;
    return near;
}

/* --- arguments --- */

/* Takes the next word; what follows it begins with its space. */
static struct slice take_word(struct slice *spec)
{
    struct slice word = {spec->at, 0};
    while (word.len < spec->len && spec->at[word.len] != ' ')
        word.len++;
    *spec = (struct slice){spec->at + word.len, spec->len - word.len};
    return word;
}

static size_t count_words(struct slice spec)
{
    size_t n = 0;
    while (spec.len) {
        n += take_word(&spec).len > 0;
        if (spec.len)
            spec = (struct slice){spec.at + 1, spec.len - 1};
    }
    return n;
}

static void expect(const struct job_kind *kind, struct text *why)
{
    static const char *const numbers[] = {"one whole number",    "two whole numbers",
                                          "three whole numbers", "four whole numbers",
                                          "five whole numbers",  "six whole numbers"};
    text_add(why, "%s takes %s, such as `%s %s`", kind->name, numbers[kind->numbers - 1],
             kind->name, kind->example);
}

static int read_numbers(struct plan *plan, struct slice spec, struct text *why)
{
    const struct job_kind *kind = plan->kind;
    char shown[TEXT_MAX / 4];
    if (count_words(spec) != kind->numbers) {
        expect(kind, why);
        text_add(why, "; got %zu word%s", count_words(spec), count_words(spec) == 1 ? "" : "s");
        return ERR_MALFORMED;
    }
    struct slice rest = spec;
    for (size_t i = 0; i < kind->numbers; i++) {
        struct slice word = take_word(&rest);
        int error = parse_whole(word, UINT64_MAX, &plan->numbers[i]);
        text_escape(shown, sizeof shown, error == ERR_RANGE ? word : spec);
        if (error == ERR_RANGE) {
            text_add(why, "%s: %s is too large; at most %" PRIu64 " can be asked for", kind->name,
                     shown, UINT64_MAX);
        } else if (error) {
            expect(kind, why);
            text_add(why, ", of digits only or as 1e6 or 10^6, not '%s'", shown);
        }
        if (error)
            return error;
        if (rest.len && i + 1 < kind->numbers)
            rest = (struct slice){rest.at + 1, rest.len - 1}; /* one space */
    }
    if (!rest.len)
        return OK;
    text_escape(shown, sizeof shown, spec);
    expect(kind, why);
    text_add(why, ", not '%s'", shown);
    return ERR_MALFORMED;
}

/* --- plans --- */

static bool has_other_plan(const struct job_kind *kind)
{
    return !kind->range || kind->ranges_faster_from || kind->input;
}

/* Of a plan that cannot be without. */
static uint64_t ranges_least(const struct job_kind *kind)
{
    return has_other_plan(kind) ? 0 : PLAN_RANGES_LEAST;
}

/* A kind of tasks has one that nobody schedules. */
static void add_stages(struct plan *plan)
{
    if (plan->kind->plan) {
        plan->kind->plan(plan);
        return;
    }
    plan_add_tree(plan, OPCODE_MULTIPLY, 1);
    plan_add_one(plan, OPCODE_TEXT);
}

int plan_parse(struct plan *plan, struct slice kind, struct slice spec, struct text *why)
{
    struct text unread = {0};
    char shown[JOB_KIND_MAX * 4 + 1];
    why = why ? why : &unread;
    *plan = (struct plan){.kind = kind_find(kind)};
    if (!plan->kind) {
        const char *near = nearest_kind(kind);
        text_add(why, "unknown kind of job '%s'; ", text_escape(shown, sizeof shown, kind));
        if (near)
            text_add(why, "did you mean %s? ", near);
        text_add(why, "known: ");
        kinds_list(why);
        return ERR_UNSUPPORTED;
    }
    int error = read_numbers(plan, spec, why);
    if (!error && plan->kind->check)
        error = plan->kind->check(plan, why);
    if (error)
        return error;
    plan->ranges = ranges_least(plan->kind);
    add_stages(plan);
    return OK;
}

static bool is_power_of_four(uint64_t number)
{
    return number && !(number & (number - 1)) && !(__builtin_ctzll(number) & 1);
}

static void lay_out(struct plan *plan, uint64_t ranges, uint64_t pieces)
{
    struct plan other = {.kind = plan->kind, .ranges = ranges, .pieces = pieces};
    memcpy(other.numbers, plan->numbers, sizeof other.numbers);
    *plan = other;
    add_stages(plan);
}

int plan_set_ranges(struct plan *plan, uint64_t ranges)
{
    if (ranges && (!plan->kind->range || plan->kind->input || plan->n < plan->kind->ranges_from))
        return ERR_UNSUPPORTED;
    if (ranges && (ranges == 1 || ranges > PLAN_RANGES_MAX || !is_power_of_four(ranges)))
        return ERR_RANGE;
    if (!ranges)
        ranges = ranges_least(plan->kind);
    if (ranges == plan->ranges)
        return OK; /* as most jobs: nothing is laid out twice */
    lay_out(plan, ranges, 0);
    return OK;
}

int plan_set_pieces(struct plan *plan, uint64_t pieces)
{
    if (pieces == plan->pieces)
        return OK;
    if (pieces && (!plan->kind->digits || !plan->ranges))
        return ERR_UNSUPPORTED;
    if (pieces && (pieces < 2 || pieces > PLAN_PIECES_MAX || (pieces & (pieces - 1)) ||
                   plan->kind->digits(plan) > PLAN_DIGITS_MAX))
        return ERR_RANGE;
    lay_out(plan, plan->ranges, pieces);
    return OK;
}

uint64_t plan_choose_pieces(const struct plan *plan, uint64_t workers, uint64_t from)
{
    uint64_t digits = plan->kind->digits && plan->ranges ? plan->kind->digits(plan) : 0, pieces = 2;
    uint64_t least = from < 2 * PIECES_DIGITS_MIN ? 1 : PIECES_DIGITS_MIN;
    if (!from || workers < pieces || !digits || digits < from || digits > PLAN_DIGITS_MAX)
        return 0;
    while (pieces < PLAN_PIECES_MAX && PIECES_WORKERS * 2 * pieces <= workers &&
           digits / (2 * pieces) >= least)
        pieces *= 2;
    return pieces;
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
    if ((choice == PLAN_TREE && has_other_plan(kind)) || !kind->range || kind->input ||
        plan->n < from)
        return 0;
    while (ranges < workers * RANGES_PER_WORKER && ranges < PLAN_RANGES_MAX)
        ranges *= OPERANDS_MAX;
    return ranges;
}

size_t plan_inputs(const struct plan *plan)
{
    struct plan_input unused;
    size_t n = 0;
    while (plan->kind->input && plan->kind->input(plan, n + 1, &unused))
        n++;
    return n;
}

struct plan_input plan_input(const struct plan *plan, size_t input)
{
    struct plan_input out = {0};
    if (plan->kind->input)
        plan->kind->input(plan, input, &out);
    return out;
}

uint64_t plan_cost(const struct plan *plan)
{
    return plan->kind->cost ? plan->kind->cost(plan) : 0;
}

uint64_t plan_tasks(const struct plan *plan)
{
    return plan->kind->tasks ? plan->n : 0;
}

void kind_label(const struct job_kind *kind, const char *spec, struct text *out)
{
    for (const char *at = kind->label; *at; at++) {
        if (*at != '%') {
            text_add(out, "%c", *at);
            continue;
        }
        struct slice rest = slice_of(spec), word = {0};
        for (char number = *++at; number >= '1'; number--) {
            if (word.at && rest.len)
                rest = (struct slice){rest.at + 1, rest.len - 1};
            word = take_word(&rest);
        }
        text_add(out, "%.*s", (int)word.len, (const char *)word.at);
    }
}

void plan_spec(const struct plan *plan, struct text *out)
{
    for (size_t i = 0; i < plan->kind->numbers; i++)
        text_add(out, "%s%" PRIu64, i ? " " : "", plan->numbers[i]);
}

void plan_name(const struct plan *plan, struct text *out)
{
    if (plan->kind->input) {
        plan_label(plan, out);
        return;
    }
    text_add(out, "%s ", plan->kind->name);
    plan_spec(plan, out);
}

void plan_label(const struct plan *plan, struct text *out)
{
    struct text spec = {0};
    plan_spec(plan, &spec);
    kind_label(plan->kind, spec.at, out);
}

void kinds_check_invariants(void)
{
    for (size_t i = 0; i < KINDS; i++) {
        const struct job_kind *kind = kinds[i];
        assert(kind->name[0] && strlen(kind->name) <= JOB_KIND_MAX);
        assert(kind->numbers >= 1 && kind->numbers <= PLAN_NUMBERS_MAX);
        assert(kind->example && kind->about && kind->label);
        assert(!kind->cost == kind->tasks && !kind->plan == kind->tasks);
        assert(kind_find(slice_of(kind->name)) == kind);
        assert(!kind->range ||
               (kind->range_bytes && kind->ranges_from <= kind->ranges_faster_from));
        assert(kind->level <= ENTRY_LEVEL);
        assert(kind->tasks || !kind->instant);
        assert(!kind->digits || (kind->range && !kind->input));
    }
    for (enum opcode opcode = 0; opcode < OPCODES; opcode++) {
        const struct operator_traits *traits = operator_traits(opcode);
        enum opcode found = OPCODES;
        assert(operator_find(slice_of(traits->name), &found) && found == opcode);
        assert(traits->operands_max >= 1 && traits->operands_max <= OPERANDS_MAX);
    }
}

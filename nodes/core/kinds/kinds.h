/* kinds.h - what a job may be: one table of kinds, and the plan of operations of each.
 *
 * The door of the room. It lies at the bottom and needs nothing of a node: the client includes it,
 * too, so that both mean the same by a job.
 *
 * A job kind is a row of JOB_KINDS here and a file NAME.c in this folder, which defines
 * `const struct job_kind kind_NAME`; its own name may have a hyphen where NAME has none. */
#ifndef CONCLAVE_CORE_KINDS_H
#define CONCLAVE_CORE_KINDS_H

#include "nodes/core/kinds/op_set.h"
#include "nodes/core/kinds/operators.h"
#include "nodes/core/kinds/plan.h"
#include "shared/base/text.h"

#define JOB_KINDS(X) \
    X(factorial)     \
    X(primorial) X(binomial) X(product) X(batch_gcd) X(pi) X(e) X(empty) X(map) X(reduce)

/* From so many digits on (--pieces-from; 0: never) the text of a result is made in pieces, by
 * several workers: 10000000!, of 66 million, takes four fifths of the time then; at 6 million there
 * is little to gain (docs/performance.md). A piece has so many digits at least, whatever is said:
 * below, what workers fetch and prepare takes as long as they gain. */
#define PIECES_FROM       UINT64_C(10000000)
#define PIECES_DIGITS_MIN UINT64_C(700000)
/* More than two pieces only for so many workers each: several may share a machine's processors, and
 * each that takes part prepares powers and transforms of its own, in memory that it has to touch
 * first. */
#define PIECES_WORKERS 2
/* Such a result has no more digits: beyond what any node computes. */
#define PLAN_DIGITS_MAX ((uint64_t)1 << 40)

struct plan_input;

struct job_kind {
    const char *name; /* 1..JOB_KIND_MAX characters */

    const char *example, *about; /* an argument, and what the job makes, for people */

    /* The kind came with this number, which nodes tell (ENTRY_LEVEL); 0: it was there before. */
    unsigned level;

    /* The argument is so many whole numbers, 1 to PLAN_NUMBERS_MAX; what is wrong with them beyond
     * that, NULL: nothing can be. ERR_RANGE, with a reason for people in `why`. */
    size_t numbers;
    int (*check)(const struct plan *plan, struct text *why);

    /* It has no operations but independent tasks, as many as its first number says (tasks/), and no
     * result but what they write: cost and plan are NULL. `instant`: they do nothing, and nobody
     * executes them. `commands`: its tasks or operations run what a user says, so a job needs a key
     * that may (submit_commands). */
    bool tasks, instant, commands;

    /* An upper bound of the result's size in bytes, without overflow: the cost that is limited. */
    uint64_t (*cost)(const struct plan *plan);

    /* About how many decimal digits the result has, 1 or more; NULL: its text is never made in
     * pieces. The kind has a plan with a flat stage, over ranges (plan_add_ranges()). */
    uint64_t (*digits)(const struct plan *plan);

    /* Adds the stages, or (graph.h) the parts; kind, numbers and ranges are set, all else is zero.
     */
    void (*plan)(struct plan *plan);

    /* What the job's input number `input` (from 1) must be; false: it has no such input. NULL: it
     * has none at all. */
    bool (*input)(const struct plan *plan, size_t input, struct plan_input *out);
    /* One more input of that format, of which the argument says nothing, may follow them; NULL:
     * none may. */
    const char *more_input;

    /* From which n on a plan with a flat stage is possible, and from which on it is faster; both 0:
     * there is no other plan.
     * The operands of its operation `at` (from 0): small integers. The size of that operation for
     * whoever estimates its time: the operand bytes of a product that takes as long, about. NULL
     * and 0 in a kind that has no such plan. A kind with operations and inputs has a flat stage
     * over their segments, whatever `ranges` is. */
    uint64_t ranges_from, ranges_faster_from;
    size_t (*range)(const struct plan *plan, uint64_t at, struct plan_operand out[OPERANDS_MAX]);
    uint64_t (*range_bytes)(const struct plan *plan, uint64_t at);

    /* What stands before a result, %1 and %2 in the place of the argument's numbers: "C(%1,%2)". */
    const char *label;
};

/* What an input of a job must be: a stored value of that format, of so many items. */
struct plan_input {
    uint64_t segments, items, bytes;
    const char *format;
};

/* The kinds by number, from 0; NULL one past the last. */
const struct job_kind *kind_at(size_t i);

/* The kind of that name, or NULL. */
const struct job_kind *kind_find(struct slice name);

/* Appends the names of all kinds, separated by ", ". */
void kinds_list(struct text *out);

/* The plan of a job, from what a client or the log says it is. ERR_UNSUPPORTED: there is no such
 * kind; ERR_MALFORMED, ERR_RANGE: the kind does not take the argument. `why` (may be NULL) is told
 * the reason, for people. */
int plan_parse(struct plan *plan, struct slice kind, struct slice spec, struct text *why);

/* Makes it a plan with a flat stage of so many operations, or with 0 one without. ERR_UNSUPPORTED:
 * the kind, or its argument, has no such plan; ERR_RANGE: not a power of four up to
 * PLAN_RANGES_MAX. The plan is unchanged then. */
int plan_set_ranges(struct plan *plan, uint64_t ranges);

/* Makes the text of its result in so many pieces; 0: in one operation. After plan_set_ranges().
 * ERR_UNSUPPORTED: the kind has no such plan, or this plan no flat stage; ERR_RANGE: not a power of
 * two up to PLAN_PIECES_MAX, or too long a result. The plan is unchanged then. */
int plan_set_pieces(struct plan *plan, uint64_t pieces);

/* In how many pieces, for so many workers, where results are converted so from `from` digits on (0:
 * none is); 0: in one operation. */
uint64_t plan_choose_pieces(const struct plan *plan, uint64_t workers, uint64_t from);

/* What a client asks for. */
enum plan_choice {
    PLAN_FASTER, /* whichever is faster */
    PLAN_TREE,   /* without a flat stage */
    PLAN_PRIMES  /* with one, where it is possible */
};

/* Reads "tree", "primes", or nothing. ERR_MALFORMED. */
int plan_choice_parse(struct slice name, enum plan_choice *choice);

/* How many operations a flat stage should have, for so many workers; 0: there should be none. */
uint64_t plan_choose_ranges(const struct plan *plan, enum plan_choice choice, uint64_t workers);

/* How many inputs the job has, up to INPUTS_MAX, and what number `input`, from 1, must be. */
size_t plan_inputs(const struct plan *plan);
struct plan_input plan_input(const struct plan *plan, size_t input);

/* An upper bound of the result's size in bytes: the cost that is limited. */
uint64_t plan_cost(const struct plan *plan);

/* The tasks of a job of tasks; 0: it has operations. */
uint64_t plan_tasks(const struct plan *plan);

/* Appends what stands before a result: "10!". `spec` is printable; any other text than plan_spec()
 * writes is shown as well as it can be. */
void kind_label(const struct job_kind *kind, const char *spec, struct text *out);

/* Appends the argument, as plan_parse() takes it: "10". */
void plan_spec(const struct plan *plan, struct text *out);

/* Appends kind and argument, "factorial 10"; of a kind with inputs, whose argument only says how
 * large they are, the label. Or what stands before the result: "10!". */
void plan_name(const struct plan *plan, struct text *out);
void plan_label(const struct plan *plan, struct text *out);

/* What must hold of the tables of kinds and operators: each row is whole, and found by its name. */
void kinds_check_invariants(void);

#endif

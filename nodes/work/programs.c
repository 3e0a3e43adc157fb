#include "nodes/work/programs.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/bytes.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"
#include "shared/tasks/operator.h"

#define PROGRAM_NAME "program" /* its file in the scratch directory */
#define SHOWN_MAX    120       /* bytes of the last line of stderr, in a reason */

/* An operation, and what becomes of it. */
struct run {
    struct executor_result result; /* first: results are runs that have ended */
    struct run *next;              /* of those at the commands */
    struct command_id id;
    uint64_t limit_us;
    char name[OPERATOR_NAME_MAX + 1];
    char error[JOB_REASON_MAX + 1];
};

struct programs {
    struct executor executor; /* first */
    struct commands *commands;
    struct run *running;
    struct executor_result *ended, **last; /* in order */
};

static struct programs *programs_of(struct executor *executor)
{
    return (struct programs *)executor;
}

bool programs_are_for(const struct compute_op *op)
{
    return operator_traits(op->opcode)->program && op->n_operands > 1;
}

/* --- ends --- */

static void end(struct programs *programs, struct run *run)
{
    if (run->error[0])
        run->result.computed.error = run->error;
    *programs->last = &run->result;
    programs->last = (struct executor_result **)(void *)&run->result.mail.next;
}

/* The last line that the program wrote to stderr, which says why better than its exit code. */
static void add_stderr(struct text *out, const struct command_result *result)
{
    const struct blob *bytes = result->output[COMMAND_STDERR].bytes;
    char shown[SHOWN_MAX + 1];
    size_t to = bytes ? bytes->len : 0;
    while (to && (bytes->at[to - 1] == '\n' || bytes->at[to - 1] == ' '))
        to--;
    size_t from = to;
    while (from && bytes->at[from - 1] != '\n')
        from--;
    if (from < to)
        text_add(out, ": %s",
                 text_escape(shown, sizeof shown, (struct slice){bytes->at + from, to - from}));
}

/* Why there is no value; empty: there is one. */
static void explain(struct run *run, const struct command_result *result)
{
    char limit[MEASURE_TEXT_MAX];
    struct computed *computed = &run->result.computed;
    struct text why = {0};
    text_add(&why, "%s: ", run->name);
    computed->final = true;
    switch (result->end) {
    case COMMAND_EXIT:
        if (!result->exit && !result->output[COMMAND_STDOUT].cut)
            return;
        if (result->exit)
            text_add(&why, "exit code %d", result->exit);
        else
            text_add(&why, "it wrote more than %s", text_size(PROGRAM_OUTPUT_MAX_BYTES, limit));
        break;
    case COMMAND_SIGNAL:
        text_add(&why, "ended by signal %d", result->signal);
        break;
    case COMMAND_TIME_LIMIT:
        text_add(&why, "longer than its time limit of %s", text_duration(run->limit_us, limit));
        break;
    case COMMAND_CANCELLED:
        text_format(run->error, sizeof run->error, "%s", EXECUTOR_CANCELLED);
        computed->final = false;
        return;
    case COMMAND_NOT_STARTED: /* there may be what it needs on other nodes */
        computed->final = false;
        text_add(&why, "%s: %s", command_end_text(result->end), result->error);
        break;
    case COMMAND_DISK_FULL:
    case COMMAND_UNCOLLECTED:
    case COMMAND_KILLED:
    case COMMAND_ENDS_COUNT:
        computed->final = false;
        computed->again = true;
        text_add(&why, "%s", command_end_text(result->end));
        break;
    }
    if (computed->final)
        add_stderr(&why, result);
    text_format(run->error, sizeof run->error, "%s", why.at);
}

/* Takes what the command left. */
static void finish(struct programs *programs, struct run *run, const struct command_result *result)
{
    struct executor_result *out = &run->result;
    struct computed *computed = &out->computed;
    computed->elapsed_us = result->wall_us;
    explain(run, result);
    if (!run->error[0])
        computed->final = false;
    if (!run->error[0] && !out->cancelled) {
        computed->operations = 1;
        out->value = blob_ref(result->output[COMMAND_STDOUT].bytes);
        computed->value = out->value;
        computed->len = out->value->len;
        blob_hash(out->value, computed->hash); /* a large one has noted it */
    }
    end(programs, run);
}

static bool is_same(struct command_id a, struct command_id b)
{
    return a.job == b.job && a.task == b.task && a.attempt == b.attempt;
}

static struct run *take_running(struct programs *programs, struct command_id id)
{
    for (struct run *run, **at = &programs->running; (run = *at); at = &run->next)
        if (is_same(run->id, id)) {
            *at = run->next;
            return run;
        }
    return NULL;
}

struct command_result *programs_sift(struct programs *programs, struct command_result *results)
{
    struct command_result *others = NULL;
    struct mail **last = NULL;
    for (struct command_result *next, *result = results; result; result = next) {
        next = command_result_next(result);
        struct run *run = take_running(programs, result->id);
        if (run) {
            finish(programs, run, result);
            command_result_free(result);
            continue;
        }
        result->mail.next = NULL;
        if (last)
            *last = &result->mail;
        else
            others = result;
        last = &result->mail.next;
    }
    return others;
}

/* --- the executor --- */

/* The values, as files 1 to 4; what they are parts of stays with them. */
struct files {
    struct command_input inputs[COMPUTE_OPERANDS_MAX];
    char names[OPERANDS_MAX][4];
    const char *argv[OPERANDS_MAX + 2];
    size_t n;
};

static int add_value(struct files *files, struct blob *blob)
{
    struct slice rest = blob ? (struct slice){blob->at, blob->len} : (struct slice){0}, part;
    if (!bytes_take_part(&rest, &part) || rest.len)
        return ERR_MALFORMED;
    char *name = files->names[files->n];
    text_format(name, sizeof files->names[0], "%zu", files->n + 1);
    files->inputs[files->n++] =
        (struct command_input){.name = name, .bytes.blob = blob_part(blob, BYTES_LENGTH, part.len)};
    files->argv[files->n] = name;
    return OK;
}

static void run_files(struct programs *programs, struct run *run, struct files *files,
                      struct message *spec)
{
    files->argv[0] = "./" PROGRAM_NAME;
    files->argv[files->n + 1] = NULL;
    files->inputs[files->n] = (struct command_input){.name = PROGRAM_NAME,
                                                     .bytes.blob = message_frame(spec, 1),
                                                     .executable = true};
    run->limit_us = spec->as.operator_spec.time_limit_us;
    text_copy(run->name, sizeof run->name, spec->as.operator_spec.name);
    run->next = programs->running;
    programs->running = run;
    commands_run(programs->commands,
                 &(struct command){.id = run->id,
                                   .argv = files->argv,
                                   .inputs = files->inputs,
                                   .n_inputs = files->n + 1,
                                   .part = true,
                                   .limits = {.time_us = run->limit_us,
                                              .output_max_bytes = PROGRAM_OUTPUT_MAX_BYTES}});
}

/* Why it cannot begin; NULL: it has. */
static const char *begin(struct programs *programs, struct run *run, const struct compute_op *op,
                         operation_lookup *lookup, void *context)
{
    struct compute_op bound = *op;
    struct files files = {.n = 0};
    struct message *spec = NULL;
    struct text why = {0};
    if (!programs->commands)
        return "without keys no commands are run";
    if (operation_bind(&bound, lookup, context))
        return operation_error_text(ERR_NOT_FOUND);
    struct blob *program = bound.operands[op->n_operands - 1].blob;
    int error = program ? operator_load(program, &spec, &why) : ERR_MALFORMED;
    for (size_t i = 0; i + 1 < op->n_operands && !error; i++)
        error = add_value(&files, bound.operands[i].blob);
    if (!error)
        run_files(programs, run, &files, spec);
    for (size_t i = 0; i < files.n; i++)
        blob_drop(&files.inputs[i].bytes.blob);
    message_drop(&spec);
    return error ? operation_error_text(error) : NULL;
}

static void start(struct executor *executor, const struct compute_op *op, operation_lookup *lookup,
                  void *context)
{
    struct programs *programs = programs_of(executor);
    struct run *run = mem_new(1, sizeof *run);
    run->id = (struct command_id){op->id.job, op->id.op, op->attempt};
    run->result.computed =
        (struct computed){.id = op->id, .attempt = op->attempt, .opcode = op->opcode};
    const char *why = begin(programs, run, op, lookup, context);
    if (!why)
        return;
    text_format(run->error, sizeof run->error, "%s", why);
    end(programs, run);
}

static struct executor_result *take(struct executor *executor)
{
    struct programs *programs = programs_of(executor);
    struct executor_result *ended = programs->ended;
    programs->ended = NULL;
    programs->last = &programs->ended;
    return ended;
}

static void cancel(struct executor *executor, struct value_id id, uint64_t attempt)
{
    struct programs *programs = programs_of(executor);
    struct command_id command = {id.job, id.op, attempt};
    for (struct run *run = programs->running; run; run = run->next)
        if (is_same(run->id, command)) {
            run->result.cancelled = true;
            commands_cancel(programs->commands, command);
        }
}

static uint64_t never_starved(const struct executor *executor)
{
    (void)executor;
    return 0;
}

static const struct executor_kind programs_kind = {
    .start = start,
    .poll = take,
    .cancel = cancel,
    .free = executor_result_free,
    .fd = executor_no_fd, /* the commands' is polled already */
    .starved_us = never_starved,
};

struct programs *programs_new(struct commands *commands)
{
    struct programs *programs = mem_new(1, sizeof *programs);
    programs->executor.kind = &programs_kind;
    programs->commands = commands;
    programs->last = &programs->ended;
    return programs;
}

struct executor *programs_executor(struct programs *programs)
{
    return &programs->executor;
}

bool programs_are_due(const struct programs *programs)
{
    return programs->ended != NULL;
}

void programs_destroy(struct programs **programs)
{
    struct programs *it = *programs;
    *programs = NULL;
    if (!it)
        return;
    for (struct executor_result *next, *result = it->ended; result; result = next) {
        next = executor_next(result);
        executor_result_free(result);
    }
    for (struct run *next, *run = it->running; run; run = next) {
        next = run->next;
        executor_result_free(&run->result);
    }
    free(it);
}

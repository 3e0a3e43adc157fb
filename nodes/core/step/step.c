#include "nodes/core/step/step.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "shared/base/mutant.h"
#include "shared/base/random.h"
#include "shared/base/text.h"

bool step_is_ours(const struct step *step, struct slice id)
{
    return step_is_founded(step) && id.len == CLUSTER_ID_BYTES &&
           !memcmp(id.at, step->identity.cluster_id, CLUSTER_ID_BYTES);
}

struct slice step_cluster_id(const struct step *step)
{
    size_t len = step_is_founded(step) ? CLUSTER_ID_BYTES : 0;
    return (struct slice){step->identity.cluster_id, len};
}

/* --- lines for people --- */

static struct log_limit *limit_of(struct step *step, const char *kind)
{
    size_t i = 0;
    while (i + 1 < STEP_LINES_KINDS_MAX && step->lines[i].kind && strcmp(step->lines[i].kind, kind))
        i++;
    step->lines[i].kind = kind;
    return &step->lines[i].limit;
}

static void write_line(struct step *step, const char *kind, uint64_t per_s, enum log_level level,
                       const char *line)
{
    uint64_t unsaid;
    bool allowed = log_limit_allows(limit_of(step, kind), step->now_us, per_s, &unsaid);
    if (!allowed && !MUTANT(lines_unlimited))
        return;
    if (unsaid)
        outbox_log(&step->out, level, "%" PRIu64 " lines of this kind were left out: %s", unsaid,
                   kind);
    outbox_log(&step->out, level, "%s", line);
}

void step_line(struct step *step, const char *kind, uint64_t per_s, enum log_level level,
               const char *format, ...)
{
    struct text line = {0};
    va_list args;
    va_start(args, format);
    text_add_v(&line, format, args);
    va_end(args);
    write_line(step, kind, per_s, level, line.at);
}

void step_reject(struct step *step, node_id_t from, const char *why)
{
    step->rejected_here++;
    step_line(step, "rejected", LOG_REJECTED_PER_S, LOG_WARN, "dropped a message of node %u: %s",
              from, why);
}

/* --- the rest --- */

uint64_t step_random(struct step *step, uint64_t limit)
{
    return random_below(&step->random, limit);
}

void step_event(struct step *step, const char *event, node_id_t subject, job_id_t job,
                const char *format, ...)
{
    struct text text = {0};
    va_list args;
    va_start(args, format);
    text_add_v(&text, format, args);
    va_end(args);
    write_line(step, event, LOG_LINES_PER_S, LOG_INFO, text.at);
    struct slice line = {(const uint8_t *)text.at,
                         text.len < TEXT_FIELD_MAX ? text.len : TEXT_FIELD_MAX};
    struct message *message = message_new(MESSAGE_EVENT);
    message->as.event = (struct wire_event){
        .node = step->config.id,
        .incarnation = step->config.incarnation,
        .seq = ++step->feed_seq,
        .time_ms = step->wall_ms,
        .term = step->term,
        .event = message_text(message, event),
        .subject = subject,
        .job = job,
        .text = message_copy(message, line),
    };
    outbox_publish(&step->out, message);
}

struct message *step_error(const struct step *step, uint64_t request, const char *code,
                           const char *reason)
{
    struct message *message = message_new(MESSAGE_ERROR);
    message->as.error = (struct wire_error){
        .request = request,
        .code = message_text(message, code),
        .reason = message_text(message, reason),
        .coordinator = step->coordinator,
    };
    return message;
}

bool step_key_is_valid(struct slice key)
{
    for (size_t i = 0; i < key.len; i++)
        if (key.at[i] <= 0x20 || key.at[i] >= 0x7f)
            return false;
    return key.len > 0;
}

void step_check_invariants(const struct step *step)
{
    const struct node_config *config = &step->config;
    const struct outbox *out = &step->out;
    assert(config->id >= 1 && config->id <= config->n_nodes && config->n_nodes <= NODES_MAX);
    assert(config->n_voters >= 1 && config->n_voters <= config->n_nodes);
    assert(step->coordinator <= config->n_nodes && step->term <= TERM_MAX);
    assert(out->term_seq <= outbox_durable_seq(out));
    for (size_t i = 0; i < out->n; i++)
        assert(out->at[i].after_seq <= outbox_durable_seq(out));
}

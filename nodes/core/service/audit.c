#include "nodes/core/service/audit.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/core/service/service_types.h"
#include "shared/base/mutant.h"
#include "shared/base/text.h"

#define LINES_KIND "audit"
#define QUOTED_MAX 64 /* bytes of one text: a key, a name, a spec */
#define COMMON     2  /* fields that all requests begin with: their number, the node */

/* A change that is not answered yet. */
struct audit {
    enum message_type type;
    struct asker asker;
    char object[]; /* what it is about, as the line shows it */
};

static bool is_submit(enum message_type type)
{
    return type == MESSAGE_SUBMIT || type == MESSAGE_SUBMIT_COMMANDS;
}

/* --- what a request is about --- */

static void quote(struct text *out, const char *name, struct slice bytes)
{
    size_t shown = bytes.len < QUOTED_MAX ? bytes.len : QUOTED_MAX;
    text_add(out, " %s=\"", name);
    for (size_t i = 0; i < shown; i++) {
        uint8_t byte = bytes.at[i];
        bool plain = byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
        text_add(out, plain ? "%c" : "\\x%02x", byte);
    }
    text_add(out, shown < bytes.len ? "...\"" : "\"");
}

static void add_jobs(struct text *out, const struct wire_job_forget *forget)
{
    char id[JOB_TEXT_MAX];
    for (size_t i = 0; i < forget->jobs.n; i++)
        text_add(out, "%s%s", i ? "," : " jobs=", job_id_text(forget->jobs.at[i].job, id));
}

static void add_inputs(struct text *out, const struct wire_submit *submit)
{
    char id[JOB_TEXT_MAX];
    for (size_t i = 0; i < submit->inputs.n; i++)
        text_add(out, "%s%s", i ? "," : " inputs=", job_id_text(submit->inputs.at[i].value, id));
}

static void add_hash(struct text *out, struct slice sha256)
{
    text_add(out, " sha256=");
    for (size_t i = 0; i < sha256.len; i++)
        text_add(out, "%02x", sha256.at[i]);
}

/* Values are not shown: a log is no place for them. */
static void add_field(struct text *out, const struct field *field, const void *at)
{
    char id[JOB_TEXT_MAX];
    if (field->kind == FIELD_STR && strcmp(field->name, "value"))
        quote(out, field->name, *(const struct slice *)at);
    else if (field->kind == FIELD_U64 &&
             (!strcmp(field->name, "job") || !strcmp(field->name, "value")))
        text_add(out, " %s=%s", field->name, job_id_text(*(const job_id_t *)at, id));
    else if (field->kind == FIELD_U64)
        text_add(out, " %s=%" PRIu64, field->name, *(const uint64_t *)at);
}

static void add_object(struct text *out, const struct message *request)
{
    const struct record *record = message_kind(request->type)->record();
    for (size_t i = COMMON; i < record->n_fields; i++)
        add_field(out, &record->fields[i],
                  (const uint8_t *)&request->as + record->fields[i].offset);
    if (request->type == MESSAGE_JOB_FORGET)
        add_jobs(out, &request->as.job_forget);
    if (request->type == MESSAGE_VALUE_BEGIN)
        add_hash(out, request->as.value_begin.sha256);
    if (is_submit(request->type))
        add_inputs(out, &request->as.submit);
}

/* --- lines --- */

static bool is_audited(const struct service *service)
{
    return !service->step->config.insecure && service->asker;
}

static void begin_line(struct text *line, const struct asker *asker, enum message_type type)
{
    text_add(line, "audit name=%s role=%s request=%s", asker->name, role_name(asker->role),
             message_name(type));
}

void audit_asked(struct service *service, uint64_t client, const struct request_row *row,
                 const struct message *request)
{
    struct text object = {0};
    /* Of an upload the beginning and the end have lines. */
    if (!is_audited(service) || !(row->use & WRITE) || request->type == MESSAGE_VALUE_PUT ||
        MUTANT(changes_unaudited))
        return;
    add_object(&object, request);
    struct audit *audit = mem_new(1, sizeof *audit + object.len + 1);
    audit->type = request->type;
    audit->asker = *service->asker;
    memcpy(audit->object, object.at, object.len + 1);
    free(map_put(&service->audits, (struct map_key){client, 0}, audit));
}

void audit_refused(struct service *service, const struct message *request, const char *code)
{
    struct text line = {0};
    if (!is_audited(service))
        return;
    begin_line(&line, service->asker, request->type);
    text_add(&line, " result=%s", code);
    add_object(&line, request);
    step_line(service->step, LINES_KIND, AUDIT_REFUSED_PER_S, LOG_WARN, "%s", line.at);
}

/* Nobody may fill the log with what costs nothing: what is refused, and what was done before. */
static bool is_change(enum message_type request, const struct message *reply)
{
    switch (reply->type) {
    case MESSAGE_ERROR:
        return false;
    case MESSAGE_JOB:
        return !is_submit(request) || reply->as.job.created;
    case MESSAGE_BANK_ACCOUNT:
        return !reply->as.bank_account.repeated;
    case MESSAGE_KV_VALUE:
        return !reply->as.kv_value.repeated;
    case MESSAGE_VALUE:
        return request != MESSAGE_VALUE_BEGIN || reply->as.value.created;
    default:
        return true;
    }
}

static void write_answer(struct service *service, const struct audit *audit,
                         const struct message *reply)
{
    struct text line = {0};
    char id[JOB_TEXT_MAX];
    begin_line(&line, &audit->asker, audit->type);
    if (reply->type == MESSAGE_ERROR)
        text_add(&line, " result=%.*s", (int)reply->as.error.code.len,
                 (const char *)reply->as.error.code.at);
    else
        text_add(&line, " result=ok");
    if (reply->type == MESSAGE_JOB && is_submit(audit->type))
        text_add(&line, " job=%s%s", job_id_text(reply->as.job.jobs.at[0].job, id),
                 reply->as.job.created ? "" : " known=1");
    if (reply->type == MESSAGE_VALUE && audit->type == MESSAGE_VALUE_BEGIN)
        text_add(&line, " value=%s%s", job_id_text(reply->as.value.values.at[0].value, id),
                 reply->as.value.created ? "" : " known=1");
    text_add(&line, "%s", audit->object);
    if (is_change(audit->type, reply))
        outbox_log(&service->step->out, LOG_INFO, "%s", line.at);
    else
        step_line(service->step, "audit, no change", LOG_LINES_PER_S, LOG_INFO, "%s", line.at);
}

void audit_answers(struct service *service)
{
    struct outbox *out = &service->step->out;
    for (size_t i = 0, n = out->n; i < n && service->audits.count; i++) {
        if (out->at[i].kind != OUTPUT_REPLY)
            continue;
        struct map_key client = {out->at[i].reply.client, 0};
        struct audit *audit = map_remove(&service->audits, client);
        if (audit)
            write_answer(service, audit, out->at[i].reply.message);
        free(audit);
    }
}

void audit_clear(struct service *service)
{
    struct audit *audit;
    for (size_t at = 0; (audit = map_next(&service->audits, &at, NULL));)
        free(audit);
    map_clear(&service->audits);
}

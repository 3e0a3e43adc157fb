#include "nodes/work/compute.h"

#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "nodes/work/integer.h"
#include "shared/base/clock.h"
#include "shared/base/error.h"
#include "shared/base/hash.h"
#include "shared/base/memory.h"
#include "shared/base/text.h"

#define NICENESS      10 /* heartbeats and votes go before numbers */
#define TRIM_AFTER_US (2 * SECOND_US)
#define STACK_BYTES   (1u << 20) /* GMP keeps large temporaries on the heap */

struct request {
    struct mail mail;
    struct compute_op op; /* its blobs are owned references */
};

struct compute {
    pthread_t thread;
    uint64_t delay_us;
    struct failure failure; /* the thread's */
    struct mailbox *requests, *results;
};

static void request_free(struct request *request)
{
    for (size_t i = 0; i < request->op.n_operands; i++)
        blob_drop(&request->op.operands[i].blob);
    free(request);
}

/* --- the thread --- */

static int execute(const struct compute_op *op, struct blob **value, uint64_t *operations)
{
    struct integer_operand operands[OPERANDS_MAX];
    *operations = 1;
    if (op->count)
        return op->operator== OPERATOR_MULTIPLY
                   ? integer_multiply_leaves(op->first, op->count, value, operations)
                   : ERR_UNSUPPORTED;
    for (size_t i = 0; i < op->n_operands; i++)
        operands[i] = (struct integer_operand){op->operands[i].literal, op->operands[i].blob};
    if (op->operator== OPERATOR_MULTIPLY)
        return integer_multiply(operands, op->n_operands, value);
    if (op->operator== OPERATOR_TEXT && op->n_operands == 1 && operands[0].value)
        return integer_to_text(operands[0].value, value);
    return ERR_UNSUPPORTED;
}

static void describe_text(struct computed *computed, const struct blob *text)
{
    size_t edge = text->len < TEXT_EDGE_DIGITS ? text->len : TEXT_EDGE_DIGITS;
    memcpy(computed->head, text->at, edge);
    memcpy(computed->tail, text->at + text->len - edge, edge);
}

static struct compute_result *work(const struct compute_op *op)
{
    struct compute_result *result = mem_new(1, sizeof *result);
    struct computed *computed = &result->computed;
    computed->id = op->id;
    computed->attempt = op->attempt;
    int error = execute(op, &result->value, &computed->operations);
    if (error) {
        text_format(result->reason, sizeof result->reason, "R%llu: an operand is %s",
                    (unsigned long long)op->id.op, error_text(error));
        computed->operations = 0;
        computed->error = result->reason;
        return result;
    }
    computed->value = result->value;
    computed->len = result->value->len;
    if (op->operator== OPERATOR_TEXT)
        describe_text(computed, result->value);
    /* A short value travels inside a message; only what travels alone needs a hash to be recognized
     * by. */
    if (op->operator== OPERATOR_TEXT || result->value->len> VALUE_INLINE_MAX_BYTES)
        hash_bytes(result->value->at, result->value->len, computed->hash);
    return result;
}

static void serve_request(struct compute *compute, struct request *request,
                          enum failure_kind failure)
{
    uint64_t start_us = clock_now_us(), delay_us = compute->delay_us;
    if (request->op.id.op == compute->failure.config.on)
        raise(SIGKILL); /* as a fault in it would, or the system when it takes too much memory */
    struct compute_result *result = work(&request->op);
    if (failure == FAILURE_STALL)
        delay_us += compute->failure.config.stall_us;
    result->exit = failure == FAILURE_EXIT;
    if (delay_us && !result->exit)
        mailbox_wait_closed(compute->requests, clock_now_us() + delay_us);
    result->computed.elapsed_us = clock_now_us() - start_us;
    mailbox_put(compute->results, &result->mail);
}

/* Waits for requests. When none has come for a while, memory of large operations goes back to the
 * system. */
static struct mail *next_requests(struct compute *compute, bool *idle)
{
    struct mail *mail = mailbox_take(compute->requests);
    if (!mail && !*idle) {
        mail = mailbox_wait(compute->requests, clock_now_us() + TRIM_AFTER_US);
        if (!mail)
            malloc_trim(0);
    }
    *idle = !mail;
    return mail ? mail : mailbox_wait(compute->requests, MAILBOX_FOREVER);
}

static void *compute_main(void *argument)
{
    struct compute *compute = argument;
    setpriority(PRIO_PROCESS, (id_t)gettid(), NICENESS);
    struct mail *mail;
    bool idle = true;
    while ((mail = next_requests(compute, &idle))) {
        idle = false;
        enum failure_kind failure = failure_draw(&compute->failure);
        while (mail) {
            struct request *request = (struct request *)mail;
            mail = mail->next;
            if (!mailbox_is_closed(compute->requests))
                serve_request(compute, request, failure);
            failure = FAILURE_NONE;
            request_free(request);
        }
    }
    mailbox_close(compute->results); /* says that the thread is about to end */
    return NULL;
}

/* --- the event loop's side --- */

struct compute *compute_start(uint64_t delay_us, const struct failure *failure)
{
    struct compute *compute = mem_new(1, sizeof *compute);
    compute->delay_us = delay_us;
    compute->failure = *failure;
    compute->requests = mailbox_new(false);
    compute->results = mailbox_new(true);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    int number = pthread_create(&compute->thread, &attributes, compute_main, compute);
    pthread_attr_destroy(&attributes);
    if (number)
        panic("cannot start the compute thread: %s", strerror(number));
    return compute;
}

void compute_submit(struct compute *compute, const struct compute_op *op)
{
    struct request *request = mem_new(1, sizeof *request);
    request->op = *op;
    if (request->op.n_operands > OPERANDS_MAX)
        panic("an operation of %zu operands", op->n_operands);
    for (size_t i = 0; i < op->n_operands; i++) {
        struct compute_operand *operand = &request->op.operands[i];
        if (operand->kind == OPERAND_VALUE || (operand->kind == OPERAND_BLOB && !operand->blob))
            panic("an operand without its value was handed to the compute thread");
        operand->blob = operand->kind == OPERAND_BLOB ? blob_ref(operand->blob) : NULL;
    }
    mailbox_put(compute->requests, &request->mail);
}

void compute_refuse(struct compute *compute, const struct compute_op *op, const char *reason)
{
    struct compute_result *result = mem_new(1, sizeof *result);
    result->computed.id = op->id;
    result->computed.attempt = op->attempt;
    result->computed.error = result->reason;
    text_format(result->reason, sizeof result->reason, "%s", reason);
    mailbox_put(compute->results, &result->mail);
}

struct compute_result *compute_take(struct compute *compute)
{
    return (struct compute_result *)mailbox_take(compute->results);
}

struct compute_result *compute_next(const struct compute_result *result)
{
    return (struct compute_result *)result->mail.next;
}

void compute_result_free(struct compute_result *result)
{
    blob_drop(&result->value);
    free(result);
}

int compute_fd(const struct compute *compute)
{
    return mailbox_fd(compute->results);
}

bool compute_destroy(struct compute **compute, unsigned patience_ms)
{
    struct compute *it = *compute;
    if (!it)
        return true;
    mailbox_close(it->requests);
    if (!mailbox_wait_closed(it->results, clock_now_us() + patience_ms * MS_US))
        return false;
    pthread_join(it->thread, NULL);
    *compute = NULL;
    for (struct mail *mail = mailbox_take(it->requests); mail;) {
        struct request *request = (struct request *)mail;
        mail = mail->next;
        request_free(request);
    }
    for (struct mail *mail = mailbox_take(it->results); mail;) {
        struct compute_result *result = (struct compute_result *)mail;
        mail = mail->next;
        compute_result_free(result);
    }
    mailbox_destroy(&it->requests);
    mailbox_destroy(&it->results);
    free(it);
    return true;
}

#include "clients/web/delegate.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clients/web/web.h"
#include "shared/base/clock.h"
#include "shared/base/error.h"

/* A few lines of JSON, the longest of which quotes one of TEXT_MAX. */
#define ERRORS_BYTES 4096

struct delegate {
    struct request *request;
    struct child child;
    int in[DELEGATE_FILES], out, err; /* -1: closed, or none */
    const char *type;
    unsigned status;
    char *bytes; /* of stdout, not sent yet */
    size_t len;
    char errors[ERRORS_BYTES]; /* the beginning of stderr, with a zero after it */
    size_t errors_len;
    bool left;          /* by its client: it was killed */
    bool ended, failed; /* nothing more comes; and it did not end well */
    struct delegate *next, **at;
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void delegate_free(void *own)
{
    struct delegate *delegate = own;
    *delegate->at = delegate->next;
    if (delegate->next)
        delegate->next->at = delegate->at;
    delegate->request->web->n_delegates--;
    if (delegate->child.pid > 0) {
        kill(delegate->child.pid, SIGKILL);
        waitpid(delegate->child.pid, NULL, 0);
    }
    for (int i = 0; i < DELEGATE_FILES; i++)
        close_fd(&delegate->in[i]);
    close_fd(&delegate->out);
    close_fd(&delegate->err);
    child_clear(&delegate->child);
    free(delegate->bytes);
    free(delegate);
}

/* --- starting --- */

static void add_connection(struct child *child, const struct web *web)
{
    const struct conclave *connection = &web->cli->connection;
    struct text brokers = {0};
    char at[ADDRESS_TEXT_MAX];
    for (size_t i = 0; i < connection->brokers.n; i++)
        text_add(&brokers, "%s%s", i ? "," : "", address_text(&connection->brokers.at[i], at));
    child_add(child, "conclave");
    child_add(child, "--json");
    child_add(child, "--broker=%s", brokers.at);
    if (connection->entry.path[0])
        child_add(child, "--access=%s", connection->entry.path);
    else
        child_add(child, "--insecure");
}

struct child *delegate_begin(struct request *request)
{
    struct web *web = request->web;
    if (web->n_delegates == WEB_DELEGATES_MAX) {
        request_error(request, MHD_HTTP_SERVICE_UNAVAILABLE, "busy", EXIT_UNREACHABLE,
                      "%d such answers are being made already", WEB_DELEGATES_MAX);
        return NULL;
    }
    struct delegate *delegate = mem_new(1, sizeof *delegate);
    *delegate = (struct delegate){.request = request,
                                  .in = {-1, -1},
                                  .out = -1,
                                  .err = -1,
                                  .bytes = mem_new(WEB_DELEGATE_BYTES, 1),
                                  .next = web->delegates,
                                  .at = &web->delegates};
    if (delegate->next)
        delegate->next->at = &delegate->next;
    web->delegates = delegate;
    web->n_delegates++;
    request->own = delegate;
    request->own_free = delegate_free;
    add_connection(&delegate->child, web);
    return &delegate->child;
}

static void out_of_files(struct request *request)
{
    request_error(request, MHD_HTTP_SERVICE_UNAVAILABLE, "unavailable", EXIT_ENVIRONMENT,
                  "a process of its own cannot be started for this: %s", strerror(errno));
}

void delegate_feed(struct request *request, enum delegate_file file, const char *at, size_t len)
{
    struct delegate *delegate = request->own;
    int fd = memfd_create("input", MFD_CLOEXEC);
    delegate->in[file] = fd;
    if (!request->response &&
        (fd < 0 || write(fd, at, len) != (ssize_t)len || lseek(fd, 0, SEEK_SET)))
        out_of_files(request);
}

void delegate_start(struct request *request, unsigned status, const char *type)
{
    struct delegate *delegate = request->own;
    int out[2] = {-1, -1}, err[2] = {-1, -1};
    if (request->response)
        return; /* what it should read is not there */
    delegate->status = status;
    delegate->type = type;
    bool good = !child_find("conclave", delegate->child.program) && !pipe2(out, O_CLOEXEC) &&
                !pipe2(err, O_CLOEXEC) && !fcntl(out[0], F_SETFL, O_NONBLOCK) &&
                !fcntl(err[0], F_SETFL, O_NONBLOCK);
    delegate->out = out[0];
    delegate->err = err[0];
    const int streams[CHILD_STREAMS] = {delegate->in[DELEGATE_STDIN], out[1], err[1],
                                        delegate->in[DELEGATE_FILE]};
    delegate->child.streams = streams;
    good = good && !child_start(&delegate->child, clock_now_us());
    delegate->child.streams = NULL;
    close_fd(&out[1]);
    close_fd(&err[1]);
    for (int i = 0; i < DELEGATE_FILES; i++)
        close_fd(&delegate->in[i]);
    if (!good)
        out_of_files(request);
}

/* --- the answer --- */

static ssize_t read_delegate(void *context, uint64_t at, char *out, size_t room)
{
    struct request *request = context;
    struct delegate *delegate = request->own;
    (void)at;
    if (!delegate->len && delegate->ended)
        return delegate->failed ? MHD_CONTENT_READER_END_WITH_ERROR
                                : MHD_CONTENT_READER_END_OF_STREAM;
    if (!delegate->len) {
        request_suspend(request);
        return 0;
    }
    size_t len = delegate->len < room ? delegate->len : room;
    request_extend(request, WEB_ANSWER_US); /* of each part */
    memcpy(out, delegate->bytes, len);
    delegate->len -= len;
    memmove(delegate->bytes, delegate->bytes + len, delegate->len);
    return (ssize_t)len;
}

/* What it said of why it failed: the error among the lines of JSON on its stderr. */
static void tell_error(struct request *request, const struct delegate *delegate, int exit_code)
{
    const char *code = "failed",
               *message = delegate->left ? "the client closed its side before the answer was there"
                                         : "the command ended, or was ended, without any output";
    json_t *line = NULL, *error = NULL;
    for (const char *at = delegate->errors; *at && !error;) {
        size_t len = strcspn(at, "\n");
        json_decref(line);
        line = json_loadb(at, len, 0, NULL);
        error = json_object_get(line, "error");
        at += len + (at[len] == '\n');
    }
    if (error)
        json_unpack(error, "{s:s, s:s}", "code", &code, "message", &message);
    request_error(request, request_status_of(exit_code), code, exit_code, "%s", message);
    json_decref(line);
}

static void begin_answer(struct delegate *delegate)
{
    struct request *request = delegate->request;
    request_stream(request, delegate->type, MHD_SIZE_UNKNOWN, read_delegate);
    request->status = delegate->status;
}

static void end(struct delegate *delegate, int status)
{
    bool exited = WIFEXITED(status);
    delegate->child.pid = 0;
    delegate->ended = true;
    delegate->failed = !exited || WEXITSTATUS(status);
    if (delegate->request->response)
        request_resume(delegate->request);
    else if (!delegate->failed)
        begin_answer(delegate);
    else
        tell_error(delegate->request, delegate, exited ? WEXITSTATUS(status) : EXIT_TIMEOUT);
}

/* --- the loop --- */

int delegates_items(const struct web *web, zmq_pollitem_t items[])
{
    int n = 0;
    for (const struct delegate *delegate = web->delegates; delegate; delegate = delegate->next) {
        if (delegate->out >= 0 && delegate->len < WEB_DELEGATE_BYTES)
            items[n++] = (zmq_pollitem_t){.fd = delegate->out, .events = ZMQ_POLLIN};
        if (delegate->err >= 0)
            items[n++] = (zmq_pollitem_t){.fd = delegate->err, .events = ZMQ_POLLIN};
    }
    return n;
}

/* Returns whether something came. */
static bool take_output(struct delegate *delegate)
{
    if (delegate->out < 0 || delegate->len == WEB_DELEGATE_BYTES)
        return false;
    ssize_t n =
        read(delegate->out, delegate->bytes + delegate->len, WEB_DELEGATE_BYTES - delegate->len);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        close_fd(&delegate->out);
    delegate->len += n > 0 ? (size_t)n : 0;
    return n > 0;
}

static void take_errors(struct delegate *delegate)
{
    char part[TEXT_MAX];
    ssize_t n = delegate->err < 0 ? -1 : read(delegate->err, part, sizeof part);
    if (n > 0)
        for (ssize_t i = 0; i < n && delegate->errors_len + 1 < ERRORS_BYTES; i++)
            delegate->errors[delegate->errors_len++] = part[i];
    else if (n == 0 || (delegate->err >= 0 && errno != EAGAIN && errno != EINTR))
        close_fd(&delegate->err);
}

/* Time counts while the client has something to take; the command works as long as it likes. */
static void turn(struct delegate *delegate)
{
    struct request *request = delegate->request;
    int status;
    if (delegate->ended || delegate->child.pid <= 0)
        return;
    take_errors(delegate);
    if (take_output(delegate)) {
        if (!request->response)
            begin_answer(delegate);
        request_resume(request);
    } else if (!delegate->len) {
        request_extend(request, WEB_ANSWER_US);
    }
    if (!delegate->left && request_is_left(request)) {
        delegate->left = true;
        kill(delegate->child.pid, SIGKILL);
    }
    if (delegate->out < 0 && delegate->err < 0 &&
        waitpid(delegate->child.pid, &status, WNOHANG) == delegate->child.pid)
        end(delegate, status);
}

void delegates_turn(struct web *web)
{
    for (struct delegate *delegate = web->delegates; delegate; delegate = delegate->next)
        turn(delegate);
}

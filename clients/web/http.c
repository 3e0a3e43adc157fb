#include "clients/web/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "clients/web/routes.h"
#include "clients/web/web.h"
#include "shared/base/clock.h"
#include "shared/base/error.h"
#include "shared/base/limits.h"
#include "shared/bus/intake.h"

/* A connection, as long as it is open. */
struct line {
    bool used;
    int fd;
    uint64_t deadline_us; /* then it is closed */
};

struct http {
    struct MHD_Daemon *daemon;
    struct web *web;
    const struct guard *guard;
    struct request *requests;
    struct http_counts counts;
    uint64_t now_us; /* of this turn */
    struct line lines[WEB_CONNECTIONS_MAX];
};

/* --- connections --- */

static struct line *line_of(struct MHD_Connection *connection)
{
    return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

static void on_connection(void *context, struct MHD_Connection *connection, void **own,
                          enum MHD_ConnectionNotificationCode what)
{
    struct http *http = context;
    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        struct line *line = *own;
        if (line)
            *line = (struct line){0};
        http->counts.connections -= line != NULL;
        return;
    }
    for (size_t i = 0; i < WEB_CONNECTIONS_MAX; i++) {
        if (http->lines[i].used)
            continue;
        http->lines[i] = (struct line){
            true,
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd,
            http->now_us + WEB_REQUEST_US};
        http->counts.connections++;
        *own = &http->lines[i];
        return;
    }
}

/* libmicrohttpd sees the end, and lets go of it. */
static void close_late(struct http *http, uint64_t now_us)
{
    for (size_t i = 0; i < WEB_CONNECTIONS_MAX; i++) {
        struct line *line = &http->lines[i];
        if (!line->used || now_us < line->deadline_us)
            continue;
        shutdown(line->fd, SHUT_RDWR);
        line->deadline_us = UINT64_MAX;
    }
}

void request_extend(struct request *request, uint64_t us)
{
    struct line *line = line_of(request->connection);
    if (line)
        line->deadline_us = us == UINT64_MAX ? us : request->http->now_us + us;
}

/* libmicrohttpd does not look at a suspended connection. What the client sent beyond its request is
 * not read, and does not hide its end. */
bool request_is_left(const struct request *request)
{
    const struct line *line = line_of(request->connection);
    struct pollfd end = {.fd = line ? line->fd : -1, .events = POLLRDHUP};
    return line && poll(&end, 1, 0) == 1;
}

/* --- requests --- */

static enum MHD_Result take_header(void *context, enum MHD_ValueKind kind, const char *name,
                                   const char *value)
{
    struct guard_headers *headers = context;
    const struct {
        const char *name;
        const char **at;
    } wanted[] = {{"Host", &headers->host},
                  {"Origin", &headers->origin},
                  {"Sec-Fetch-Site", &headers->fetch_site},
                  {"Authorization", &headers->authorization}};
    (void)kind;
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        if (strcasecmp(name, wanted[i].name))
            continue;
        headers->twice = headers->twice || *wanted[i].at;
        *wanted[i].at = value ? value : "";
    }
    return MHD_YES;
}

static void refuse(struct request *request, enum guard_verdict verdict)
{
    static const struct {
        unsigned status;
        const char *code;
    } answers[] = {[GUARD_MALFORMED] = {MHD_HTTP_BAD_REQUEST, "malformed"},
                   [GUARD_FOREIGN_HOST] = {MHD_HTTP_FORBIDDEN, "forbidden"},
                   [GUARD_FOREIGN_ORIGIN] = {MHD_HTTP_FORBIDDEN, "forbidden"},
                   [GUARD_NO_TOKEN] = {MHD_HTTP_UNAUTHORIZED, "forbidden"}};
    request->http->counts.refused++;
    request_error(request, answers[verdict].status, answers[verdict].code,
                  verdict == GUARD_MALFORMED ? EXIT_USAGE : EXIT_KEY_REFUSED, "%s",
                  guard_text(verdict));
    if (verdict == GUARD_NO_TOKEN)
        MHD_add_response_header(request->response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
}

/* A browser must ask before it sends JSON to another origin, and is refused. */
static void check_body(struct request *request)
{
    const char *type = MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND,
                                                   MHD_HTTP_HEADER_CONTENT_TYPE);
    const char *length = MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND,
                                                     MHD_HTTP_HEADER_CONTENT_LENGTH);
    const char *coding = MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND,
                                                     MHD_HTTP_HEADER_TRANSFER_ENCODING);
    uint64_t bytes = 0;
    if (!length && !coding)
        return; /* there is none */
    if (!length || parse_u64(slice_of(length), WEB_BODY_BYTES, &bytes)) {
        request_error(request, length ? MHD_HTTP_CONTENT_TOO_LARGE : MHD_HTTP_LENGTH_REQUIRED,
                      "malformed", EXIT_USAGE,
                      "a body of at most %d bytes is taken, with its length", WEB_BODY_BYTES);
        return;
    }
    if (bytes && (!type || strncasecmp(type, "application/json", strlen("application/json"))))
        request_error(request, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "malformed", EXIT_USAGE,
                      "the body must be application/json");
}

/* All that can be told before the body. */
static void begin(struct request *request, const char *path, const char *method)
{
    struct guard_headers headers = {0};
    enum route_fault fault = route_find(method, path, &request->route, &request->job);
    MHD_get_connection_values(request->connection, MHD_HEADER_KIND, take_header, &headers);
    enum guard_verdict verdict = guard_check(request->http->guard, &headers,
                                             request->route ? request->route->need : GUARD_READ);
    if (verdict)
        refuse(request, verdict);
    else if (fault == ROUTE_NO_PATH)
        request_error(request, MHD_HTTP_NOT_FOUND, "not_found", EXIT_NOT_FOUND,
                      "there is no such page");
    else if (fault == ROUTE_NO_METHOD)
        request_error(request, MHD_HTTP_METHOD_NOT_ALLOWED, "malformed", EXIT_USAGE,
                      "this page does not take that method");
    else if (fault == ROUTE_NO_JOB)
        request_error(request, MHD_HTTP_BAD_REQUEST, "malformed", EXIT_USAGE,
                      "a job's id looks like 3-17");
    else if (request->route->need == GUARD_CHANGE)
        check_body(request);
}

static struct request *request_new(struct http *http, struct MHD_Connection *connection)
{
    struct request *request = mem_new(1, sizeof *request);
    request->http = http;
    request->web = http->web;
    request->connection = connection;
    request->next = http->requests;
    request->at = &http->requests;
    if (request->next)
        request->next->at = &request->next;
    http->requests = request;
    http->counts.requests++;
    return request;
}

static void on_completed(void *context, struct MHD_Connection *connection, void **own,
                         enum MHD_RequestTerminationCode how)
{
    struct request *request = *own;
    (void)context;
    (void)connection;
    (void)how;
    *own = NULL;
    if (!request)
        return;
    *request->at = request->next;
    if (request->next)
        request->next->at = request->at;
    if (request->own_free)
        request->own_free(request->own);
    if (request->response)
        MHD_destroy_response(request->response);
    free(request->body);
    free(request);
}

static enum MHD_Result answer(struct request *request)
{
    unsigned class = request->status / 100;
    request->http->counts.answers[class < 6 ? class : 5]++;
    return MHD_queue_response(request->connection, request->status, request->response);
}

/* The body of what changes something is bounded before any of it is read; others have none that
 * anybody wants. */
static void take_bytes(struct request *request, const char *at, size_t len)
{
    if (request->route->need != GUARD_CHANGE || request->body_len + len > WEB_BODY_BYTES)
        return;
    request->body = mem_grow(request->body, request->body_len + len + 1, 1);
    memcpy(request->body + request->body_len, at, len);
    request->body_len += len;
    request->body[request->body_len] = '\0';
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection,
                                  const char *path, const char *method, const char *version,
                                  const char *bytes, size_t *n_bytes, void **own)
{
    struct request *request = *own;
    (void)version;
    if (!request) {
        *own = request = request_new(context, connection);
        begin(request, path, method);
        return request->response ? answer(request) : MHD_YES;
    }
    if (*n_bytes) {
        take_bytes(request, bytes, *n_bytes);
        *n_bytes = 0;
        return MHD_YES;
    }
    if (!request->handled) {
        request->handled = true;
        request_extend(request, WEB_ANSWER_US);
        request->route->handle(request);
    }
    if (request->response)
        return answer(request);
    request_suspend(request);
    return MHD_YES;
}

void request_suspend(struct request *request)
{
    if (!request->suspended)
        MHD_suspend_connection(request->connection);
    request->suspended = true;
}

void request_resume(struct request *request)
{
    if (request->suspended)
        MHD_resume_connection(request->connection);
    request->suspended = false;
}

const char *request_parameter(const struct request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

/* --- answers --- */

static void give(struct request *request, unsigned status, const char *type,
                 struct MHD_Response *response)
{
    static const char *const headers[][2] = {
        {"Connection", "close"},
        {"Cache-Control", "no-store"},
        {"X-Content-Type-Options", "nosniff"},
        {"X-Frame-Options", "DENY"},
        {"Referrer-Policy", "no-referrer"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
        {"Cross-Origin-Opener-Policy", "same-origin"},
        {"Content-Security-Policy",
         "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
         "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"}};
    if (!response)
        panic("no memory for an answer");
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        MHD_add_response_header(response, headers[i][0], headers[i][1]);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    request->response = response;
    request->status = status;
    request_resume(request);
}

void request_json(struct request *request, unsigned status, json_t *value)
{
    char *text = json_dumps(value, JSON_ENCODE_ANY);
    if (!text)
        panic("a JSON value cannot be printed");
    size_t len = strlen(text);
    text = mem_grow(text, len + 2, 1);
    text[len] = '\n';
    json_decref(value);
    give(request, status, "application/json",
         MHD_create_response_from_buffer(len + 1, text, MHD_RESPMEM_MUST_FREE));
}

void request_error(struct request *request, unsigned status, const char *code, int exit_code,
                   const char *format, ...)
{
    struct text line = {0};
    va_list args;
    va_start(args, format);
    text_add_v(&line, format, args);
    va_end(args);
    request_json(request, status,
                 json_pack("{s:{s:s, s:s, s:i}}", "error", "code", code, "message", line.at, "exit",
                           exit_code));
}

void request_text(struct request *request, const char *type, char *text, size_t len)
{
    give(request, MHD_HTTP_OK, type,
         MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE));
}

void request_bytes(struct request *request, const char *type, const void *at, size_t len)
{
    give(request, MHD_HTTP_OK, type,
         MHD_create_response_from_buffer(len, (void *)(uintptr_t)at, MHD_RESPMEM_PERSISTENT));
}

void request_stream(struct request *request, const char *type, uint64_t len,
                    MHD_ContentReaderCallback read)
{
    give(request, MHD_HTTP_OK, type,
         MHD_create_response_from_callback(len, WEB_CONNECTION_BYTES / 4, read, request, NULL));
}

unsigned request_status_of(int exit_code)
{
    switch (exit_code) {
    case EXIT_USAGE:
        return MHD_HTTP_BAD_REQUEST;
    case EXIT_UNREACHABLE:
        return MHD_HTTP_SERVICE_UNAVAILABLE;
    case EXIT_TIMEOUT:
        return MHD_HTTP_GATEWAY_TIMEOUT;
    case EXIT_NOT_FOUND:
        return MHD_HTTP_NOT_FOUND;
    case EXIT_KEY_REFUSED:
        return MHD_HTTP_FORBIDDEN;
    case EXIT_ENVIRONMENT:
        return MHD_HTTP_TOO_MANY_REQUESTS;
    default:
        return MHD_HTTP_CONFLICT;
    }
}

bool request_failed(struct request *request, const struct client_call *call,
                    enum message_type expected)
{
    char code[4 * JOB_KIND_MAX + 1], room[TEXT_MAX];
    int exit_code = outcome_code(call->outcome);
    if (call->outcome) {
        request_error(request, request_status_of(exit_code),
                      exit_code == EXIT_TIMEOUT       ? "timeout"
                      : exit_code == EXIT_KEY_REFUSED ? "forbidden"
                                                      : "unavailable",
                      exit_code, "%s", client_reason(request->web->cli->connection.client));
        return true;
    }
    if (call->reply->type == expected)
        return false;
    if (call->reply->type == MESSAGE_ERROR) {
        exit_code = refusal_code(call->reply);
        request_error(request, request_status_of(exit_code),
                      text_escape(code, sizeof code, call->reply->as.error.code), exit_code, "%s",
                      text_escape(room, sizeof room, call->reply->as.error.reason));
    } else {
        request_error(request, MHD_HTTP_BAD_GATEWAY, "malformed", EXIT_FAILED,
                      "the answer is %s instead of %s", message_name(call->reply->type),
                      message_name(expected));
    }
    return true;
}

/* --- the server --- */

/* A zero byte would end a text for us, and the rest of it go unseen: such a text stays as it came,
 * and is the name of nothing. */
static size_t unescape(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context;
    (void)connection;
    return strstr(text, "%00") ? strlen(text) : MHD_http_unescape(text);
}

static void ignore_log(void *context, const char *format, va_list args)
{
    (void)context;
    (void)format;
    (void)args;
}

static bool read_address(const char *address, unsigned port, struct sockaddr_storage *out)
{
    struct sockaddr_in *four = (struct sockaddr_in *)out;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)out;
    memset(out, 0, sizeof *out);
    if (!strcmp(address, "localhost"))
        address = "127.0.0.1";
    if (inet_pton(AF_INET, address, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons((uint16_t)port);
        return true;
    }
    if (inet_pton(AF_INET6, address, &six->sin6_addr) != 1)
        return false;
    six->sin6_family = AF_INET6;
    six->sin6_port = htons((uint16_t)port);
    return true;
}

int http_start(struct http **out, struct web *web, const struct guard *guard, const char *address,
               unsigned port, struct text *why)
{
    struct sockaddr_storage at;
    if (!read_address(address, port, &at)) {
        text_add(why, "--bind takes an address of this machine in digits, or localhost");
        return ERR_MALFORMED;
    }
    struct http *http = mem_new(1, sizeof *http);
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
                     (at.ss_family == AF_INET6 ? MHD_USE_IPv6 : 0);
    http->web = web;
    http->guard = guard;
    http->now_us = clock_now_us();
    errno = 0;
    http->daemon =
        MHD_start_daemon(flags, (uint16_t)port, NULL, NULL, on_request, http,
                         MHD_OPTION_EXTERNAL_LOGGER, ignore_log, NULL, MHD_OPTION_SOCK_ADDR,
                         (struct sockaddr *)&at, MHD_OPTION_CONNECTION_LIMIT,
                         (unsigned)WEB_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                         (size_t)WEB_CONNECTION_BYTES, MHD_OPTION_CONNECTION_TIMEOUT,
                         (unsigned)WEB_IDLE_SECONDS, MHD_OPTION_NOTIFY_CONNECTION, on_connection,
                         http, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL,
                         MHD_OPTION_UNESCAPE_CALLBACK, unescape, NULL, MHD_OPTION_STRICT_FOR_CLIENT,
                         1, MHD_OPTION_END);
    if (!http->daemon) {
        text_add(why, "cannot listen at %s port %u: %s", address, port,
                 errno ? strerror(errno) : "libmicrohttpd does not say why");
        free(http);
        return errno == EADDRINUSE ? ERR_EXISTS : ERR_IO;
    }
    intake_leave(http_port(http));
    *out = http;
    return OK;
}

void http_stop(struct http **http)
{
    struct http *it = *http;
    *http = NULL;
    if (!it)
        return;
    for (struct request *request = it->requests; request; request = request->next)
        request_resume(request);
    MHD_stop_daemon(it->daemon);
    free(it);
}

unsigned http_port(const struct http *http)
{
    return MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
}

int http_fd(const struct http *http)
{
    return MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

uint64_t http_wait_ms(const struct http *http)
{
    MHD_UNSIGNED_LONG_LONG ms = UINT64_MAX;
    return MHD_get_timeout(http->daemon, &ms) == MHD_YES ? ms : UINT64_MAX;
}

void http_turn(struct http *http, uint64_t now_us)
{
    http->now_us = now_us;
    close_late(http, now_us);
    MHD_run(http->daemon);
}

const struct http_counts *http_counts(const struct http *http)
{
    return &http->counts;
}

struct request *http_requests(const struct http *http)
{
    return http->requests;
}

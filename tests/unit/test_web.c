/* The web process without a network: who is let in, which row of the table a path finds, and
 * metrics of what strangers send. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "clients/web/metrics.h"
#include "clients/web/routes.h"
#include "shared/base/error.h"

#define TOKEN "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct guard guard_of(bool open)
{
    struct guard guard = {.token = TOKEN, .open = open};
    assert_true(guard_add_host(&guard, "127.0.0.1"));
    assert_true(guard_add_host(&guard, "localhost"));
    assert_true(guard_add_host(&guard, "[::1]"));
    return guard;
}

static void hosts_that_are_not_ours_are_refused(void **state)
{
    static const struct {
        const char *host;
        enum guard_verdict verdict;
    } hosts[] = {{"127.0.0.1", GUARD_OK},
                 {"127.0.0.1:7080", GUARD_OK},
                 {"LocalHost:1", GUARD_OK},
                 {"[::1]:80", GUARD_OK},
                 {"[::1]", GUARD_OK},
                 {NULL, GUARD_MALFORMED},
                 {"", GUARD_MALFORMED},
                 {":80", GUARD_MALFORMED},
                 {"localhost:80:80", GUARD_MALFORMED},
                 {"localhost:x", GUARD_MALFORMED},
                 {"[::1", GUARD_FOREIGN_HOST},
                 {"[::1]x", GUARD_MALFORMED},
                 {"::1", GUARD_MALFORMED},
                 {"evil.example", GUARD_FOREIGN_HOST},
                 {"localhost.evil.example", GUARD_FOREIGN_HOST},
                 {"evil.localhost", GUARD_FOREIGN_HOST},
                 {"127.0.0.10", GUARD_FOREIGN_HOST}};
    struct guard guard = guard_of(false);
    (void)state;
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        struct guard_headers headers = {.host = hosts[i].host};
        for (enum guard_need need = GUARD_PAGE; need <= GUARD_READ; need++)
            if (guard_check(&guard, &headers, need) != hosts[i].verdict)
                fail_msg("host %s: %d", hosts[i].host, guard_check(&guard, &headers, need));
    }
}

static void the_token_is_asked_for_where_it_is_needed(void **state)
{
    static const struct {
        const char *authorization;
        bool good;
    } given[] = {{NULL, false},
                 {"", false},
                 {"Bearer ", false},
                 {"Bearer " TOKEN, true},
                 {"bearer " TOKEN, true},
                 {"Bearer " TOKEN "0", false},
                 {"Bearer  " TOKEN, false},
                 {"Basic " TOKEN, false},
                 {TOKEN, false},
                 {"Bearer 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde0",
                  false}};
    (void)state;
    for (int open = 0; open < 2; open++) {
        struct guard guard = guard_of(open);
        for (size_t i = 0; i < sizeof given / sizeof *given; i++) {
            struct guard_headers headers = {.host = "localhost",
                                            .authorization = given[i].authorization};
            enum guard_verdict right = given[i].good ? GUARD_OK : GUARD_NO_TOKEN;
            assert_int_equal(guard_check(&guard, &headers, GUARD_PAGE), GUARD_OK);
            assert_int_equal(guard_check(&guard, &headers, GUARD_READ), open ? right : GUARD_OK);
            assert_int_equal(guard_check(&guard, &headers, GUARD_CHANGE), right);
        }
    }
    struct guard none = guard_of(false);
    none.token[0] = '\0'; /* never: but it opens nothing */
    struct guard_headers headers = {.host = "localhost", .authorization = "Bearer "};
    assert_int_equal(guard_check(&none, &headers, GUARD_CHANGE), GUARD_NO_TOKEN);
}

static void other_origins_are_refused(void **state)
{
    static const struct {
        const char *origin, *site;
        enum guard_verdict page, read;
    } rows[] = {{NULL, NULL, GUARD_OK, GUARD_OK},
                {"http://localhost:7080", "same-origin", GUARD_OK, GUARD_OK},
                {"https://localhost:7080", NULL, GUARD_OK, GUARD_OK},
                {NULL, "none", GUARD_OK, GUARD_OK},
                {"http://localhost", NULL, GUARD_FOREIGN_ORIGIN, GUARD_FOREIGN_ORIGIN},
                {"http://127.0.0.1:7080", NULL, GUARD_FOREIGN_ORIGIN, GUARD_FOREIGN_ORIGIN},
                {"null", NULL, GUARD_FOREIGN_ORIGIN, GUARD_FOREIGN_ORIGIN},
                {"", NULL, GUARD_FOREIGN_ORIGIN, GUARD_FOREIGN_ORIGIN},
                {NULL, "cross-site", GUARD_OK, GUARD_FOREIGN_ORIGIN},
                {NULL, "same-site", GUARD_OK, GUARD_FOREIGN_ORIGIN}};
    struct guard guard = guard_of(false);
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct guard_headers headers = {.host = "localhost:7080",
                                        .origin = rows[i].origin,
                                        .fetch_site = rows[i].site};
        assert_int_equal(guard_check(&guard, &headers, GUARD_PAGE), rows[i].page);
        assert_int_equal(guard_check(&guard, &headers, GUARD_READ), rows[i].read);
    }
    struct guard_headers twice = {.host = "localhost", .twice = true};
    assert_int_equal(guard_check(&guard, &twice, GUARD_PAGE), GUARD_MALFORMED);
}

static void loopback_is_told_from_the_rest(void **state)
{
    (void)state;
    assert_true(guard_is_loopback("127.0.0.1") && guard_is_loopback("127.9.9.9") &&
                guard_is_loopback("::1") && guard_is_loopback("localhost"));
    assert_false(guard_is_loopback("0.0.0.0") || guard_is_loopback("::") ||
                 guard_is_loopback("128.0.0.1") || guard_is_loopback("localhost.example") ||
                 guard_is_loopback("::ffff:127.0.0.1"));
}

static void each_path_finds_its_row(void **state)
{
    static const struct {
        const char *method, *path;
        enum route_fault fault;
        job_id_t job;
    } rows[] = {{"GET", "/", ROUTE_FOUND, 0},
                {"HEAD", "/metrics", ROUTE_FOUND, 0},
                {"GET", "/api/jobs", ROUTE_FOUND, 0},
                {"GET", "/api/jobs/1-2", ROUTE_FOUND, (job_id_t)1 << 40 | 2},
                {"POST", "/api/jobs/1-2/cancel", ROUTE_FOUND, (job_id_t)1 << 40 | 2},
                {"GET", "/api/jobs/1-2/cancel", ROUTE_NO_METHOD, 0},
                {"PATCH", "/api/jobs", ROUTE_NO_METHOD, 0},
                {"GET", "/api/jobs/", ROUTE_NO_JOB, 0},
                {"GET", "/api/jobs/x/result", ROUTE_NO_JOB, 0},
                {"GET", "/api/jobs/1-2/", ROUTE_NO_PATH, 0},
                {"GET", "/api/jobs/1-2/result/x", ROUTE_NO_PATH, 0},
                {"GET", "", ROUTE_NO_PATH, 0},
                {"GET", "//", ROUTE_NO_PATH, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct route *route = NULL;
        job_id_t job;
        assert_int_equal(route_find(rows[i].method, rows[i].path, &route, &job), rows[i].fault);
        if (rows[i].fault == ROUTE_FOUND)
            assert_true(job == rows[i].job && route->handle);
    }
}

static void only_what_changes_something_is_posted(void **state)
{
    (void)state;
    for (const struct route *route = routes; route->method; route++)
        assert_int_equal(!strcmp(route->method, "POST"), route->need == GUARD_CHANGE);
}

static struct slice text_of(const char *text)
{
    return (struct slice){(const uint8_t *)text, strlen(text)};
}

/* A host name with quotes, backslashes and line ends stays inside of its label. */
static void labels_hold_what_strangers_send(void **state)
{
    struct message *status = message_new(MESSAGE_STATUS);
    struct wire_node_row row = {.node = 3,
                                .alive = true,
                                .turn_us = 1500001,
                                .behind_ms = 1250,
                                .host = text_of("a\"b\\c\nd")};
    struct cluster_view view = {.status = status};
    struct addresses brokers = {.n = 1, .at = {{"h\"h", 7000}}};
    static struct events events;
    static const struct http_counts counts;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    (void)state;
    status->as.status.nodes.at = &row;
    status->as.status.nodes.n = 1;
    metrics_write(&(struct metrics_source){&view, &brokers, &events, &counts, true}, out);
    fclose(out);
    assert_non_null(
        strstr(text, "{node=\"3\",host=\"a\\\"b\\\\x5cc\\\\x0ad\",role=\"\",version=\"\"} 1\n"));
    assert_non_null(strstr(text, "conclave_node_longest_turn_seconds{node=\"3\"} 1.500001\n"));
    assert_non_null(strstr(text, "conclave_node_lag_seconds{node=\"3\"} 1.250\n"));
    assert_non_null(strstr(text, "conclave_broker_up{broker=\"tcp://h\\\"h:7000\"} 0\n"));
    free(text);
    status->as.status.nodes.n = 0;
    message_drop(&status);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_that_are_not_ours_are_refused),
        cmocka_unit_test(the_token_is_asked_for_where_it_is_needed),
        cmocka_unit_test(other_origins_are_refused),
        cmocka_unit_test(loopback_is_told_from_the_rest),
        cmocka_unit_test(each_path_finds_its_row),
        cmocka_unit_test(only_what_changes_something_is_posted),
        cmocka_unit_test(labels_hold_what_strangers_send),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

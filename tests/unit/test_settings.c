/* What the options of a node may be, and what may not get as far as a socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nodes/io/settings.h"
#include "shared/base/error.h"
#include "shared/base/limits.h"
#include "shared/base/memory.h"

/* How --peers is taken by a cluster of so many nodes. */
static int split(const char *peers, uint64_t n, char why[TEXT_MAX])
{
    const char *hosts[NODES_MAX + 1] = {0};
    char *list = mem_string(peers);
    int error = settings_split_hosts(list, n, hosts, why);
    for (uint64_t id = 1; !error && id <= n; id++)
        assert_non_null(hosts[id]);
    free(list);
    return error;
}

static void hosts_are_names_or_addresses_of_IPv6(void **state)
{
    static const char *const sound[] = {"a",   "7",   "node-1.example.org", "127.0.0.1",
                                        "n_1", "::1", "[fe80::1]"};
    static const char *const none[] = {"-",   ".",   "_a", "-a",  "",     "a b", "*",
                                       "a:1", "a/b", "[]", "[a]", "[::1", "1:2"};
    char why[TEXT_MAX];
    (void)state;
    for (size_t i = 0; i < sizeof sound / sizeof *sound; i++)
        assert_int_equal(split(sound[i], 1, why), OK);
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        assert_int_equal(split(none[i], 1, why), ERR_MALFORMED);
        assert_non_null(strstr(why, "is not a host name"));
    }
}

static void there_is_one_host_for_each_node(void **state)
{
    char why[TEXT_MAX];
    (void)state;
    assert_int_equal(split("a,b,c", 3, why), OK);
    assert_int_equal(split("a,b", 3, why), ERR_MALFORMED);
    assert_int_equal(split("a,b,c,d", 3, why), ERR_MALFORMED);
    assert_int_equal(split("a,,c", 3, why), ERR_MALFORMED);
}

/* Every reading begins with the defaults. */
static void what_is_not_given_is_the_default(void **state)
{
    struct settings first, second;
    char why[TEXT_MAX], program[] = "conclave-node", port[] = "--port=7100", id[] = "--id=2";
    char *with[] = {program, port, id, NULL}, *without[] = {program, NULL};
    int n_words;
    (void)state;
    assert_int_equal(settings_read(&first, 3, with, &n_words, why), OK);
    assert_int_equal(settings_read(&second, 1, without, &n_words, why), OK);
    assert_true(first.port == 7100 && first.id == 2);
    assert_true(second.port == PORT_DEFAULT && !second.id);
    assert_int_equal(settings_check(&second, why), ERR_MALFORMED);
    assert_non_null(strstr(why, "--id is missing"));
}

static void without_keys_no_option_of_commands_means_anything(void **state)
{
    char why[TEXT_MAX];
    (void)state;
    struct settings is = {.id = 1,
                          .dir = "d",
                          .cluster = "c",
                          .bind = "127.0.0.1",
                          .durability = "fsync",
                          .insecure = true};
    assert_int_equal(settings_check(&is, why), OK);
    is.commands_user = "nobody";
    assert_int_equal(settings_check(&is, why), ERR_MALFORMED);
    assert_non_null(strstr(why, "--commands-user means nothing with --insecure"));
    is.commands_user = NULL;
    is.scratch = "/tmp";
    assert_int_equal(settings_check(&is, why), ERR_MALFORMED);
    is.insecure = false;
    is.access = "key.json";
    assert_int_equal(settings_check(&is, why), OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_are_names_or_addresses_of_IPv6),
        cmocka_unit_test(there_is_one_host_for_each_node),
        cmocka_unit_test(what_is_not_given_is_the_default),
        cmocka_unit_test(without_keys_no_option_of_commands_means_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

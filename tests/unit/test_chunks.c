/* The credit of chunks that each client of a broker has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "broker/chunks.h"
#include "shared/base/text.h"

static const struct slice one = {(const uint8_t *)"one", 3}, two = {(const uint8_t *)"two", 3};

/* Requests 1 to n go to the node. */
static void fill(struct chunks *it, struct slice client, uint64_t n, node_id_t node)
{
    for (uint64_t request = 1; request <= n; request++)
        assert_true(chunks_add(it, client, request, node, SECOND_US));
}

static void a_client_has_eight_and_another_one_its_own_W5(void **state)
{
    struct chunks it = {0};
    (void)state;
    fill(&it, one, VALUE_CHUNKS_CREDIT, 1);
    assert_false(chunks_add(&it, one, 9, 1, SECOND_US));
    assert_false(chunks_add(&it, one, 9, 2, SECOND_US)); /* whichever node it is for */
    fill(&it, two, VALUE_CHUNKS_CREDIT, 1);
    chunks_take(&it, one, 77); /* of something else */
    assert_false(chunks_add(&it, one, 9, 1, SECOND_US));
    chunks_take(&it, one, 3);
    assert_true(chunks_add(&it, one, 9, 1, SECOND_US));
    assert_false(chunks_add(&it, one, 10, 1, SECOND_US));
    chunks_clear(&it);
}

static void what_is_sent_again_is_the_same_chunk(void **state)
{
    struct chunks it = {0};
    (void)state;
    fill(&it, one, VALUE_CHUNKS_CREDIT, 1);
    assert_false(chunks_add(&it, one, 1, 2, SECOND_US + CHUNK_AGAIN_US - 1));
    for (uint64_t request = 1; request <= VALUE_CHUNKS_CREDIT; request++)
        assert_true(chunks_add(&it, one, request, 2, SECOND_US + CHUNK_AGAIN_US));
    assert_false(chunks_add(&it, one, 9, 2, SECOND_US + CHUNK_AGAIN_US));
    chunks_forget(&it, 1, SECOND_US + CHUNK_AGAIN_US); /* none is on its way to that one any more */
    assert_false(chunks_add(&it, one, 9, 2, SECOND_US + CHUNK_AGAIN_US));
    chunks_clear(&it);
}

static void what_a_node_does_not_answer_any_more_does_not_count(void **state)
{
    struct chunks it = {0};
    (void)state;
    fill(&it, one, 5, 1);
    for (uint64_t request = 6; request <= VALUE_CHUNKS_CREDIT; request++)
        assert_true(chunks_add(&it, one, request, 2, SECOND_US));
    chunks_forget(&it, 1, SECOND_US);
    fill(&it, one, 5, 3);
    assert_false(chunks_add(&it, one, 9, 3, SECOND_US));
    assert_false(chunks_add(&it, one, 9, 3, SECOND_US + CHUNK_SILENT_US - 1));
    assert_true(chunks_add(&it, one, 9, 3, SECOND_US + CHUNK_SILENT_US));
    chunks_clear(&it);
}

static void nothing_is_kept_of_clients_that_have_none(void **state)
{
    struct chunks it = {0};
    (void)state;
    fill(&it, one, 2, 1);
    fill(&it, two, 1, 1);
    assert_int_equal(it.clients.count, 2);
    chunks_take(&it, two, 1);
    assert_int_equal(it.clients.count, 1);
    chunks_sweep(&it, 2 * SECOND_US);
    assert_int_equal(it.clients.count, 1);
    chunks_sweep(&it, 2 * SECOND_US + CHUNK_SILENT_US); /* it is gone */
    assert_int_equal(it.clients.count, 0);
    chunks_clear(&it);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_has_eight_and_another_one_its_own_W5),
        cmocka_unit_test(what_is_sent_again_is_the_same_chunk),
        cmocka_unit_test(what_a_node_does_not_answer_any_more_does_not_count),
        cmocka_unit_test(nothing_is_kept_of_clients_that_have_none),
    };
    return cmocka_run_group_tests_name("chunks", tests, NULL, NULL);
}

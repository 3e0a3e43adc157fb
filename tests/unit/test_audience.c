/* Whether anybody listens to a broker's feed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "broker/audience.h"
#include "shared/base/text.h"

#define NOW_US (7 * SECOND_US)

static const struct slice comes = {(const uint8_t *)"\1", 1}, goes = {(const uint8_t *)"\0", 1},
                          topic = {(const uint8_t *)"\1heart", 6};

static void nobody_hears_anything_while_nobody_listens(void **state)
{
    (void)state;
    struct audience audience = {0};
    assert_false(audience_hears(&audience, true, NOW_US));
    audience_take(&audience, comes, NOW_US);
    audience_take(&audience, goes, NOW_US);
    assert_false(audience.topics || audience_hears(&audience, true, 2 * NOW_US));
    assert_false(audience_hears(&audience, false, 2 * NOW_US));
}

/* Else a client that waits for the first heartbeat, and then does something, would miss its event.
 */
static void the_first_hears_no_heartbeat_before_the_nodes_know_of_it(void **state)
{
    (void)state;
    struct audience audience = {0};
    audience_take(&audience, comes, NOW_US);
    assert_false(audience_hears(&audience, true, NOW_US));
    assert_false(audience_hears(&audience, true, NOW_US + AUDIENCE_SETTLES_US - 1));
    assert_true(audience_hears(&audience, true, NOW_US + AUDIENCE_SETTLES_US));
    assert_true(audience_hears(&audience, false, NOW_US)); /* an event that comes is passed on */
    /* The second one takes nothing from the first. */
    audience_take(&audience, topic, NOW_US + SECOND_US);
    assert_true(audience_hears(&audience, true, NOW_US + SECOND_US));
    audience_take(&audience, goes, NOW_US + SECOND_US);
    assert_true(audience_hears(&audience, true, NOW_US + SECOND_US));
    audience_take(&audience, goes, NOW_US + SECOND_US);
    assert_false(audience_hears(&audience, true, NOW_US + SECOND_US));
    audience_take(&audience, comes, NOW_US + 2 * SECOND_US);
    assert_false(audience_hears(&audience, true, NOW_US + 2 * SECOND_US));
}

static void nonsense_is_no_audience(void **state)
{
    (void)state;
    struct audience audience = {0};
    audience_take(&audience, goes, NOW_US);
    audience_take(&audience, (struct slice){0}, NOW_US);
    audience_take(&audience, slice_of("x"), NOW_US);
    assert_int_equal(audience.topics, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_hears_anything_while_nobody_listens),
        cmocka_unit_test(the_first_hears_no_heartbeat_before_the_nodes_know_of_it),
        cmocka_unit_test(nonsense_is_no_audience),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

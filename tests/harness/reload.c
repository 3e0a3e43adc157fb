#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nodes/core/state/checkpoint.h"
#include "shared/base/error.h"
#include "tests/harness/reload.h"

struct state *reload_state(struct step *step, struct state *state)
{
    struct checkpoint_build *build = checkpoint_begin(state, CHECKPOINT_WHOLE);
    for (; !checkpoint_is_done(build); checkpoint_pump(state)) {
        state_check_invariants(state);
        step->now_us += CHECKPOINT_SLICE_GAP_US;
    }
    const struct checkpoint *checkpoint = checkpoint_of(build);
    struct state *loaded = checkpoint_scratch_new(state);
    for (size_t i = 0; i < checkpoint->n; i++)
        assert_int_equal(checkpoint_load_part(loaded,
                                              (struct slice){checkpoint->parts[i]->at,
                                                             checkpoint->parts[i]->len},
                                              NULL, NULL),
                         OK);
    checkpoint_end(state, &build);
    state_check_invariants(loaded);
    return loaded;
}

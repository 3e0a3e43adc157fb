/* Runs the files of tests/trace, each a test; TRACE_REWRITE=1 writes what is told
 * into the files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>
#include <glob.h>

#include "shared/base/memory.h"
#include "tests/harness/trace.h"

static void a_trace_is_told_as_it_is_written(void **state)
{
    const char *path = *state;
    if (getenv("TRACE_REWRITE"))
        assert_true(trace_rewrite(path));
    else
        assert_true(trace_check(path));
}

int main(void)
{
    glob_t found;
    if (glob("tests/trace/*.txt", 0, NULL, &found)) {
        print_error("no traces: run from the top of the tree\n");
        return 1;
    }
    struct CMUnitTest *tests = mem_new(found.gl_pathc, sizeof *tests);
    for (size_t i = 0; i < found.gl_pathc; i++)
        tests[i] = (struct CMUnitTest){.name = found.gl_pathv[i],
                                       .test_func = a_trace_is_told_as_it_is_written,
                                       .initial_state = found.gl_pathv[i]};
    int failed = _cmocka_run_group_tests("traces", tests, found.gl_pathc, NULL, NULL);
    free(tests);
    globfree(&found);
    return failed;
}

#include "shared/base/mutant.h"

#ifdef CONCLAVE_MUTANTS

#include <stdlib.h>
#include <string.h>

#include "shared/base/error.h"

enum mutant mutant_planted;

/* Before main(): whatever program it is, and whoever starts it. */
__attribute__((constructor)) static void plant(void)
{
    const char *name = getenv("MUTANT_PLANTED");
    if (!name || !*name)
        return;
#define X(known, text)         \
    if (!strcmp(name, #known)) \
        mutant_planted = MUTANT_##known;
    MUTANTS(X)
    PROCESS_MUTANTS(X)
#undef X
    if (!mutant_planted)
        panic("MUTANT_PLANTED names no bug that can be planted: %s", name);
}
#endif

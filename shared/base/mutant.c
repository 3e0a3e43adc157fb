#include "shared/base/mutant.h"

#ifdef CONCLAVE_MUTANTS
enum mutant mutant_planted;
#endif

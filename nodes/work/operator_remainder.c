/* a modulo b^2. */
#include "nodes/work/integer_gcd.h"
#include "nodes/work/operator_work.h"

OPERATOR_OF_INTEGERS(remainder)

/* Rows of several segments, one after another. */
#include "nodes/work/integer_gcd.h"
#include "nodes/work/operator_work.h"

OPERATOR_OF_INTEGERS(gather)

/* Pi's decimals from Q and T of its series, and perhaps the root. */
#include "nodes/work/integer_series.h"
#include "nodes/work/operator_work.h"

OPERATOR_OF_INTEGERS(pi_digits)

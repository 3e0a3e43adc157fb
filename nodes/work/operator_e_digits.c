/* E's decimals from Q and T of its series. */
#include "nodes/work/integer_series.h"
#include "nodes/work/operator_work.h"

OPERATOR_OF_INTEGERS(e_digits)

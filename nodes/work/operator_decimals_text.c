/* A value as decimal digits with so many of them after the point. */
#include "nodes/work/integer_series.h"
#include "nodes/work/operator_work.h"

OPERATOR_OF_INTEGERS(decimals_text)

/* a b + c d: T of two ranges of terms, of T1, Q2, P1, T2. */
#include "nodes/work/integer_series.h"
#include "nodes/work/operator_work.h"

OPERATOR_OF_INTEGERS(cross)

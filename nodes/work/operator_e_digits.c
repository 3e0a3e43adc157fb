/* E's decimals from Q and T of its series. */
#include "nodes/work/operator_series.h"

OPERATOR_OF_DIGITS(e_digits, SERIES_E)

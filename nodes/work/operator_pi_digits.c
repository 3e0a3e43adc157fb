/* Pi's decimals from Q and T of its series, and perhaps the root. */
#include "nodes/work/operator_series.h"

OPERATOR_OF_DIGITS(pi_digits, SERIES_PI)

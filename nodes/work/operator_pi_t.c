/* T of a range of terms of pi's series. */
#include "nodes/work/operator_series.h"

OPERATOR_OF_TERMS(pi_t, SERIES_PI, SERIES_T)

/* P of a range of terms of pi's series. */
#include "nodes/work/operator_series.h"

OPERATOR_OF_TERMS(pi_p, SERIES_PI, SERIES_P)

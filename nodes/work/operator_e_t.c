/* T of a range of terms of e's series. */
#include "nodes/work/operator_series.h"

OPERATOR_OF_TERMS(e_t, SERIES_E, SERIES_T)

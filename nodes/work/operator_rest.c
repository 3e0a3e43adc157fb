/* The lower of two parts of a number. */
#include "nodes/work/integer_pieces.h"
#include "nodes/work/operator_work.h"

OPERATOR_OF_INTEGERS(rest)

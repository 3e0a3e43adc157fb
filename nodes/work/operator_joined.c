/* The text of a result, from its pieces. */
#include "nodes/work/integer_pieces.h"
#include "nodes/work/operator_work.h"

OPERATOR_OF_INTEGERS(joined)

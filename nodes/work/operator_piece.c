/* So many decimal digits of a text. */
#include "nodes/work/integer_pieces.h"
#include "nodes/work/operator_work.h"

OPERATOR_OF_INTEGERS(piece)

/* integer.h - integers of any size as people write them: 1000000, -5, 1_000_000, 1e6, 10^6, 5*10^5,
 * and hexadecimal ones. Small ones alone, as a job's arguments: shared/base/whole.h. Pure. */
#ifndef CONCLAVE_CLIENTS_INTEGER_H
#define CONCLAVE_CLIENTS_INTEGER_H

#include <stdbool.h>

#include "shared/base/types.h"

/* Of a magnitude: 1.3 billion digits, which GMP reads in a few minutes. A cluster takes no value as
 * large as that unless its --max-result says so; "10^10^9" must not fill the memory. */
#define INTEGER_BYTES_MAX ((uint64_t)512 * 1024 * 1024)

/* Zero-initialize; used for one after another it allocates seldom. */
struct integer {
    bool negative; /* false for 0 */
    size_t len;  /* of the magnitude: little-endian, its last byte is not 0; 0: the integer is 0 */
    uint8_t *at; /* owned */
    size_t room;
    struct integer_work *work; /* owned */
};

/* Reads one. Base 10: a sign, then a product of one or more numbers, each of digits with a single _
 * between any two of them, and then perhaps e and how many zeros follow, or ^ and a power. Base 16:
 * a sign, perhaps 0x, digits likewise. No spaces, nothing else. ERR_MALFORMED; ERR_RANGE: its
 * magnitude has more than INTEGER_BYTES_MAX bytes. `text` is only read, but may be long: a number
 * of 100 MB takes half a minute in base 10. */
int integer_parse(struct integer *integer, struct slice text, unsigned base);

/* Frees what it owns. */
void integer_clear(struct integer *integer);

#endif

/* nearest.h - of many names the one that was probably meant. */
#ifndef CONCLAVE_BASE_NEAREST_H
#define CONCLAVE_BASE_NEAREST_H

#include <stddef.h>

#define NEAREST_NAME_MAX 40 /* longer words and names are like no other */

struct nearest {
    const char *word; /* borrowed, of `len` bytes */
    size_t len, distance;
    const char *found; /* borrowed; NULL: none is near */
};

/* Begins with a word that is no name. */
struct nearest nearest_begin(const char *word, size_t len);

/* Offers a name. It is near when a third of its letters at most is wrong, missing, too much or in
 * the wrong order (Damerau 1964, neighbours only); the first of the nearest is found. */
void nearest_offer(struct nearest *nearest, const char *name);

#endif

/* library_expect.h - what the programs share that test_library.py runs. */
#ifndef CONCLAVE_TESTS_LIBRARY_EXPECT_H
#define CONCLAVE_TESTS_LIBRARY_EXPECT_H

#include <conclave.h>
#include <stdio.h>
#include <stdlib.h>

static struct conclave *cluster;

/* Ends the program with 1, and a line on stderr, when it does not hold. */
#define EXPECT(condition)                                               \
    do {                                                                \
        if (!(condition)) {                                             \
            fprintf(stderr, "line %d: %s (%s)\n", __LINE__, #condition, \
                    cluster ? conclave_reason(cluster) : "closed");     \
            exit(1);                                                    \
        }                                                               \
    } while (0)

#endif

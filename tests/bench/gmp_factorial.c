/* gmp_factorial.c - N! in one process by GMP alone: what a cluster is measured against.
 *
 *     gmp_factorial N [FILE]
 *
 * Prints the seconds until the value is known, and with FILE, to which the digits are written,
 * those of the conversion to text. */
#include <gmp.h>
#include <stdio.h>
#include <stdlib.h>

#include "shared/base/clock.h"
#include "shared/base/limits.h"

int main(int n_arguments, char **arguments)
{
    if (n_arguments < 2 || n_arguments > 3) {
        fprintf(stderr, "usage: gmp_factorial N [FILE]\n");
        return 2;
    }
    mpz_t value;
    mpz_init(value);
    uint64_t start_us = clock_now_us();
    mpz_fac_ui(value, strtoul(arguments[1], NULL, 10));
    uint64_t known_us = clock_now_us();
    printf("%.3f", (double)(known_us - start_us) / SECOND_US);
    if (n_arguments == 3) {
        FILE *file = fopen(arguments[2], "w");
        char *text = file ? mpz_get_str(NULL, 10, value) : NULL;
        if (!file || fputs(text, file) == EOF || fclose(file)) {
            perror(arguments[2]);
            return 1;
        }
        free(text);
        printf(" %.3f", (double)(clock_now_us() - known_us) / SECOND_US);
    }
    putchar('\n');
    mpz_clear(value);
    return 0;
}

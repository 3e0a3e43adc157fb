#include "tests/sim/constants.h"

#include <gmp.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/memory.h"

#define GUARD_DIGITS 30

static void arctan_of_inverse(uint64_t x, const mpz_t unity, mpz_t out)
{
    mpz_t term, part;
    mpz_inits(term, part, NULL);
    mpz_tdiv_q_ui(term, unity, x);
    mpz_set(out, term);
    for (uint64_t k = 1; mpz_sgn(term); k++) {
        mpz_tdiv_q_ui(term, term, x * x);
        mpz_tdiv_q_ui(part, term, 2 * k + 1);
        (k % 2 ? mpz_sub : mpz_add)(out, out, part);
    }
    mpz_clears(term, part, NULL);
}

/* Machin 1706. */
static void sum_pi(const mpz_t unity, mpz_t out)
{
    mpz_t other;
    mpz_init(other);
    arctan_of_inverse(5, unity, out);
    arctan_of_inverse(239, unity, other);
    mpz_mul_ui(out, out, 16);
    mpz_submul_ui(out, other, 4);
    mpz_clear(other);
}

static void sum_e(const mpz_t unity, mpz_t out)
{
    mpz_t term;
    mpz_init_set(term, unity);
    mpz_set_ui(out, 0);
    for (uint64_t k = 1; mpz_sgn(term); k++) {
        mpz_add(out, out, term);
        mpz_tdiv_q_ui(term, term, k);
    }
    mpz_clear(term);
}

char *constant_text(bool pi, uint64_t decimals)
{
    mpz_t unity, sum;
    mpz_inits(unity, sum, NULL);
    mpz_ui_pow_ui(unity, 10, decimals + GUARD_DIGITS);
    (pi ? sum_pi : sum_e)(unity, sum);
    mpz_ui_pow_ui(unity, 10, GUARD_DIGITS);
    mpz_tdiv_q(sum, sum, unity);
    char *text = mem_new(decimals + 4, 1);
    mpz_get_str(text, 10, sum);
    if (decimals) {
        memmove(text + 2, text + 1, decimals + 1);
        text[1] = '.';
    }
    mpz_clears(unity, sum, NULL);
    return text;
}

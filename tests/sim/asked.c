#include "tests/sim/asked.h"

#include <gmp.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/map.h"
#include "shared/base/memory.h"
#include "tests/sim/constants.h"

enum asked { ASKED_FACTORIAL, ASKED_PRIMORIAL, ASKED_BINOMIAL, ASKED_PI, ASKED_E };

static enum asked asked_for(uint64_t n)
{
    static const enum asked asked[8] = {
        [1] = ASKED_PRIMORIAL, [2] = ASKED_PI, [5] = ASKED_BINOMIAL, [6] = ASKED_E};
    return asked[n % 8];
}

const char *asked_job(uint64_t n, struct text *spec)
{
    static const char *const kinds[] = {"factorial", "primorial", "binomial", "pi", "e"};
    enum asked asked = asked_for(n);
    text_add(spec, "%" PRIu64, n);
    if (asked == ASKED_BINOMIAL)
        text_add(spec, " %" PRIu64, n / 3);
    return kinds[asked];
}

/* Caller frees. */
static char *by_gmp(uint64_t n)
{
    enum asked asked = asked_for(n);
    if (asked == ASKED_PI || asked == ASKED_E)
        return constant_text(asked == ASKED_PI, n);
    mpz_t product;
    mpz_init(product);
    if (asked == ASKED_PRIMORIAL)
        mpz_primorial_ui(product, n);
    else if (asked == ASKED_BINOMIAL)
        mpz_bin_uiui(product, n, n / 3);
    else
        mpz_fac_ui(product, n);
    char *text = mpz_get_str(NULL, 10, product);
    mpz_clear(product);
    return text;
}

/* Results of GMP's own functions, remembered for the life of the process. */
void asked_expect(uint64_t n, uint8_t hash[HASH_BYTES], uint64_t *digits)
{
    static struct map known;
    struct {
        uint64_t digits;
        uint8_t hash[HASH_BYTES];
    } *it = map_get(&known, (struct map_key){n, 0});
    if (!it) {
        it = mem_new(1, sizeof *it);
        char *text = by_gmp(n);
        it->digits = strlen(text);
        hash_bytes(text, it->digits, it->hash);
        free(text);
        map_put(&known, (struct map_key){n, 0}, it);
    }
    memcpy(hash, it->hash, HASH_BYTES);
    *digits = it->digits;
}

#include "tests/sim/asked.h"

#include <gmp.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/map.h"
#include "shared/base/memory.h"

enum asked { ASKED_FACTORIAL, ASKED_PRIMORIAL, ASKED_BINOMIAL };

static enum asked asked_for(uint64_t n)
{
    return n % 8 == 1 ? ASKED_PRIMORIAL : n % 8 == 5 ? ASKED_BINOMIAL : ASKED_FACTORIAL;
}

const char *asked_job(uint64_t n, struct text *spec)
{
    static const char *const kinds[] = {"factorial", "primorial", "binomial"};
    enum asked asked = asked_for(n);
    text_add(spec, "%" PRIu64, n);
    if (asked == ASKED_BINOMIAL)
        text_add(spec, " %" PRIu64, n / 3);
    return kinds[asked];
}

static void by_gmp(uint64_t n, mpz_t out)
{
    enum asked asked = asked_for(n);
    if (asked == ASKED_PRIMORIAL)
        mpz_primorial_ui(out, n);
    else if (asked == ASKED_BINOMIAL)
        mpz_bin_uiui(out, n, n / 3);
    else
        mpz_fac_ui(out, n);
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
        mpz_t product;
        it = mem_new(1, sizeof *it);
        mpz_init(product);
        by_gmp(n, product);
        char *text = mpz_get_str(NULL, 10, product);
        it->digits = strlen(text);
        hash_bytes(text, it->digits, it->hash);
        free(text);
        mpz_clear(product);
        map_put(&known, (struct map_key){n, 0}, it);
    }
    memcpy(hash, it->hash, HASH_BYTES);
    *digits = it->digits;
}

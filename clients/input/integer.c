#include "clients/input/integer.h"

#include <gmp.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/error.h"
#include "shared/base/memory.h"

#define BITS_MAX     (8 * INTEGER_BYTES_MAX)
#define SMALL_DIGITS 19 /* so many fit into 64 bits, whatever they are */
/* Of digits: beyond, even so many hexadecimal ones are too large. */
#define DIGITS_MAX (5 * INTEGER_BYTES_MAX)

struct integer_work {
    mpz_t product, factor, power;
    char *digits; /* of one number, terminated */
    size_t room;
};

static struct integer_work *work_of(struct integer *integer)
{
    if (!integer->work) {
        integer->work = mem_new(1, sizeof *integer->work);
        mpz_inits(integer->work->product, integer->work->factor, integer->work->power, NULL);
    }
    return integer->work;
}

void integer_clear(struct integer *integer)
{
    if (integer->work) {
        mpz_clears(integer->work->product, integer->work->factor, integer->work->power, NULL);
        free(integer->work->digits);
        free(integer->work);
    }
    free(integer->at);
    *integer = (struct integer){0};
}

static void make_room(struct integer *integer, size_t len)
{
    if (integer->room >= len)
        return;
    integer->room = len < 64 ? 64 : len;
    free(integer->at);
    integer->at = mem_new(integer->room, 1);
}

/* --- reading --- */

static bool is_digit(uint8_t byte, unsigned base)
{
    uint8_t lower = byte | 0x20;
    return (byte >= '0' && byte <= '9') || (base == 16 && lower >= 'a' && lower <= 'f');
}

static void skip(struct slice *rest, size_t n)
{
    rest->at += n;
    rest->len -= n;
}

/* Takes a character that may be written in both cases. */
static bool take(struct slice *rest, char wanted)
{
    if (!rest->len || (rest->at[0] != wanted && (rest->at[0] | 0x20) != wanted))
        return false;
    skip(rest, 1);
    return true;
}

static bool take_exactly(struct slice *rest, char wanted)
{
    if (!rest->len || rest->at[0] != (uint8_t)wanted)
        return false;
    skip(rest, 1);
    return true;
}

/* Takes digits, with a single _ between any two, off the front. Returns how many, and what they
 * were written as. */
static size_t take_digits(struct slice *rest, unsigned base, struct slice *out)
{
    size_t n = 0, at = 0;
    while (at < rest->len && is_digit(rest->at[at], base)) {
        n++;
        at++;
        if (at + 1 < rest->len && rest->at[at] == '_' && is_digit(rest->at[at + 1], base))
            at++;
    }
    *out = (struct slice){rest->at, at};
    skip(rest, at);
    return n;
}

static void set_digits(struct integer_work *work, mpz_t out, struct slice written, unsigned base)
{
    if (work->room < written.len + 1) {
        work->room = written.len + 1 < 64 ? 64 : written.len + 1;
        free(work->digits);
        work->digits = mem_new(work->room, 1);
    }
    size_t len = 0;
    for (size_t i = 0; i < written.len; i++)
        if (written.at[i] != '_')
            work->digits[len++] = (char)written.at[i];
    work->digits[len] = '\0';
    if (mpz_set_str(out, work->digits, (int)base))
        panic("digits that were checked are none");
}

/* A number as an exponent: what is above all that can be of use is UINT64_MAX. */
static uint64_t exponent_of(struct slice written)
{
    uint64_t value = 0;
    for (size_t i = 0; i < written.len; i++)
        if (written.at[i] != '_' && (__builtin_mul_overflow(value, 10, &value) ||
                                     __builtin_add_overflow(value, written.at[i] - '0', &value)))
            return UINT64_MAX;
    return value;
}

/* base^exponent, unless it is too large: looked at before it is computed. */
static int raise(mpz_t out, const mpz_t base, uint64_t exponent)
{
    uint64_t least = 0;
    if (mpz_cmp_ui(base, 1) <= 0) { /* 0^0 is 1 */
        mpz_set_ui(out, exponent == 0 || mpz_cmp_ui(base, 1) == 0);
        return OK;
    }
    if (__builtin_mul_overflow(mpz_sizeinbase(base, 2) - 1, exponent, &least) || least > BITS_MAX)
        return ERR_RANGE;
    mpz_pow_ui(out, base, exponent);
    return OK;
}

static int multiply(mpz_t out, const mpz_t by)
{
    if (mpz_sgn(out) && mpz_sgn(by) &&
        mpz_sizeinbase(out, 2) + mpz_sizeinbase(by, 2) > BITS_MAX + 2)
        return ERR_RANGE;
    mpz_mul(out, out, by);
    return OK;
}

/* One number with its exponent into work->factor. */
static int take_factor(struct integer_work *work, struct slice *rest)
{
    struct slice written, exponent;
    size_t digits = take_digits(rest, 10, &written);
    if (!digits)
        return ERR_MALFORMED;
    bool zeros = take(rest, 'e'), power = !zeros && take_exactly(rest, '^');
    if ((zeros || power) && !take_digits(rest, 10, &exponent))
        return ERR_MALFORMED;
    if (digits > DIGITS_MAX)
        return ERR_RANGE;
    set_digits(work, work->factor, written, 10);
    if (power)
        return raise(work->factor, work->factor, exponent_of(exponent));
    if (!zeros || !mpz_sgn(work->factor))
        return OK;
    mpz_set_ui(work->power, 10);
    int error = raise(work->power, work->power, exponent_of(exponent));
    return error ? error : multiply(work->factor, work->power);
}

/* Whether what is left is written as a product. Then it is not computed: for who is told that it is
 * none, and for who is told that it is too large. */
static bool is_product(struct slice rest)
{
    struct slice ignored;
    while (take_exactly(&rest, '*')) {
        if (!take_digits(&rest, 10, &ignored))
            return false;
        if ((take(&rest, 'e') || take_exactly(&rest, '^')) && !take_digits(&rest, 10, &ignored))
            return false;
    }
    return !rest.len;
}

static int parse_product(struct integer_work *work, struct slice rest)
{
    bool large = false;
    mpz_set_ui(work->product, 1);
    do {
        int error = take_factor(work, &rest);
        if (error == ERR_MALFORMED || !is_product(rest))
            return ERR_MALFORMED;
        if (!error && !mpz_sgn(work->factor)) { /* whatever else it is multiplied by */
            mpz_set_ui(work->product, 0);
            return OK;
        }
        large = large || error || multiply(work->product, work->factor);
    } while (take_exactly(&rest, '*'));
    return large ? ERR_RANGE : OK;
}

static int parse_hexadecimal(struct integer_work *work, struct slice rest)
{
    struct slice written;
    if (rest.len > 2 && rest.at[0] == '0' && (rest.at[1] | 0x20) == 'x')
        skip(&rest, 2);
    size_t digits = take_digits(&rest, 16, &written);
    if (!digits || rest.len)
        return ERR_MALFORMED;
    if (digits > DIGITS_MAX)
        return ERR_RANGE;
    set_digits(work, work->product, written, 16);
    return OK;
}

static void set_small(struct integer *integer, uint64_t value)
{
    make_room(integer, sizeof value);
    for (integer->len = 0; value; value >>= 8)
        integer->at[integer->len++] = (uint8_t)value;
}

/* Most are a few digits, and then GMP would take longer than the rest. */
static bool parse_small(struct integer *integer, struct slice text)
{
    uint64_t value = 0;
    if (!text.len || text.len > SMALL_DIGITS)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.at[i], 10))
            return false;
        value = 10 * value + (uint64_t)(text.at[i] - '0');
    }
    set_small(integer, value);
    return true;
}

int integer_parse(struct integer *integer, struct slice text, unsigned base)
{
    integer->negative = take_exactly(&text, '-');
    if (!integer->negative)
        (void)take_exactly(&text, '+');
    if (base != 10 || !parse_small(integer, text)) {
        struct integer_work *work = work_of(integer);
        int error = base == 16 ? parse_hexadecimal(work, text) : parse_product(work, text);
        if (!error && mpz_sizeinbase(work->product, 2) > BITS_MAX)
            error = ERR_RANGE;
        if (error)
            return error;
        make_room(integer, (mpz_sizeinbase(work->product, 2) + 7) / 8);
        mpz_export(integer->at, &integer->len, -1, 1, -1, 0, work->product);
    }
    integer->negative = integer->negative && integer->len;
    return OK;
}

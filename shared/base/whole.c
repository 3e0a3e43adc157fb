#include "shared/base/whole.h"

#include "shared/base/error.h"

/* A number so far, which may be above all that there are. */
struct whole {
    uint64_t value;
    bool over;
};

static void multiply(struct whole *whole, struct whole by)
{
    uint64_t product = 0;
    bool over = __builtin_mul_overflow(whole->value, by.value, &product);
    bool zero = (!whole->over && !whole->value) || (!by.over && !by.value);
    whole->over = !zero && (over || whole->over || by.over);
    whole->value = zero ? 0 : product;
}

static struct whole power(struct whole base, struct whole exponent)
{
    struct whole result = {1, false};
    if (!base.over && base.value <= 1)
        return !exponent.over && !exponent.value ? result : base;
    if (exponent.over)
        return (struct whole){0, true};
    for (uint64_t i = 0; i < exponent.value && !result.over; i++)
        multiply(&result, base); /* 64 times at most */
    return result;
}

static bool is_digit(struct slice rest)
{
    return rest.len && rest.at[0] >= '0' && rest.at[0] <= '9';
}

static void skip(struct slice *rest)
{
    rest->at++;
    rest->len--;
}

/* Takes digits from the front. */
static bool take_digits(struct slice *rest, struct whole *out)
{
    *out = (struct whole){0, false};
    if (!is_digit(*rest))
        return false;
    while (is_digit(*rest)) {
        uint64_t digit = (uint64_t)(rest->at[0] - '0');
        out->over |= __builtin_mul_overflow(out->value, 10, &out->value) ||
                     __builtin_add_overflow(out->value, digit, &out->value);
        skip(rest);
        if (rest->len > 1 && rest->at[0] == '_' && is_digit((struct slice){rest->at + 1, 1}))
            skip(rest);
    }
    return true;
}

static bool take_char(struct slice *rest, char wanted)
{
    if (!rest->len || (char)rest->at[0] != wanted)
        return false;
    skip(rest);
    return true;
}

static bool take_factor(struct slice *rest, struct whole *out)
{
    struct whole exponent;
    if (!take_digits(rest, out))
        return false;
    if (take_char(rest, 'e') || take_char(rest, 'E')) {
        if (!take_digits(rest, &exponent))
            return false;
        multiply(out, power((struct whole){10, false}, exponent));
    } else if (take_char(rest, '^')) {
        if (!take_digits(rest, &exponent))
            return false;
        *out = power(*out, exponent);
    }
    return true;
}

int parse_whole(struct slice text, uint64_t max, uint64_t *out)
{
    struct whole product = {1, false}, factor;
    do {
        if (!take_factor(&text, &factor))
            return ERR_MALFORMED;
        multiply(&product, factor);
    } while (take_char(&text, '*'));
    if (text.len)
        return ERR_MALFORMED;
    if (product.over || product.value > max)
        return ERR_RANGE;
    *out = product.value;
    return OK;
}

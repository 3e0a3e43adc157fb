#include "tests/harness/packing.h"

#include <stdlib.h>

#include "shared/base/packed.h"

struct blob *pack_numbers(const mpz_t *numbers, size_t n)
{
    size_t room = 0;
    for (size_t i = 0; i < n; i++)
        room += packed_bytes(mpz_size(numbers[i]) * sizeof(mp_limb_t));
    struct blob *list = blob_new(room);
    list->len = 0;
    for (size_t i = 0; i < n; i++) {
        struct slice magnitude = {(const uint8_t *)(const void *)mpz_limbs_read(numbers[i]),
                                  mpz_size(numbers[i]) * sizeof(mp_limb_t)};
        list->len += packed_put(list->at + list->len, mpz_sgn(numbers[i]) < 0, magnitude);
    }
    return list;
}

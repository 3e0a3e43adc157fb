#include "shared/base/nearest.h"

#include <string.h>

struct nearest nearest_begin(const char *word, size_t len)
{
    return (struct nearest){.word = word, .len = len, .distance = NEAREST_NAME_MAX};
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t rows[3][NEAREST_NAME_MAX + 1];
    for (size_t j = 0; j <= b_len; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], two_above[j - 2] + 1);
        }
    }
    return rows[a_len % 3][b_len];
}

void nearest_offer(struct nearest *nearest, const char *name)
{
    size_t len = strlen(name);
    if (len > NEAREST_NAME_MAX || nearest->len > NEAREST_NAME_MAX)
        return;
    size_t far = distance(nearest->word, nearest->len, name, len);
    if (far > (len + 1) / 3 || far >= nearest->distance)
        return;
    nearest->distance = far;
    nearest->found = name;
}

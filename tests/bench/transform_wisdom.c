/* make transform-wisdom: measures how FFTW transforms each of the lengths that products of integers
 * have, both ways, and writes what it learned to stdout. Takes some minutes, with the machine to
 * itself; stderr says what each length takes, in milliseconds. */
#include <fftw3.h>
#include <stdio.h>
#include <string.h>

#include "nodes/work/integer_transform.h"
#include "shared/base/clock.h"
#include "shared/base/error.h"

#define ROUNDS 10

static double best_ms(fftw_plan plan)
{
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t began = clock_now_us();
        fftw_execute(plan);
        uint64_t took = clock_now_us() - began;
        best = took < best ? took : best;
    }
    return (double)best / 1000;
}

int main(void)
{
    for (size_t limbs = transform_fit(1); limbs; limbs = transform_fit(limbs + 1)) {
        size_t n = limbs * TRANSFORM_LIMB_NUMBERS;
        fftw_complex *at = fftw_alloc_complex(n);
        fftw_plan forward = fftw_plan_dft_1d((int)n, at, at, FFTW_FORWARD, FFTW_MEASURE);
        fftw_plan back = fftw_plan_dft_1d((int)n, at, at, FFTW_BACKWARD, FFTW_MEASURE);
        if (!forward || !back)
            panic("no transform of %zu numbers", n);
        memset(at, 0, n * sizeof *at);
        fprintf(stderr, "%8zu limbs %8.3f %8.3f\n", limbs, best_ms(forward), best_ms(back));
        fftw_destroy_plan(back);
        fftw_destroy_plan(forward);
        fftw_free(at);
    }
    fftw_export_wisdom_to_file(stdout);
    return fflush(stdout) || ferror(stdout);
}

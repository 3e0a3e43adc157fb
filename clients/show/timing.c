#include "clients/show/timing.h"

#include <inttypes.h>

#include "clients/show/render.h"
#include "shared/base/clock.h"

static uint64_t total_us(const struct wire_job *answer)
{
    uint64_t total = 0;
    for (size_t i = 0; i < answer->timing.n; i++)
        total += answer->timing.at[i].us;
    return total;
}

json_t *timing_json(const struct wire_job *answer)
{
    if (!answer->timing.n)
        return json_null();
    json_t *timing = json_pack("{s:I, s:o}", "total_us", (json_int_t)total_us(answer), "since",
                               render_time(answer->since_ms));
    for (size_t i = 0; i < answer->timing.n; i++) {
        struct text name = {0};
        char phase[4 * PHASE_NAME_MAX + 1];
        text_add(&name, "%s_us", text_escape(phase, sizeof phase, answer->timing.at[i].phase));
        json_object_set_new(timing, name.at, json_integer((json_int_t)answer->timing.at[i].us));
    }
    return timing;
}

static void line(FILE *out, const char *name, uint64_t us, uint64_t total)
{
    unsigned tenths = total ? (unsigned)((double)us / (double)total * 1000 + 0.5) : 0;
    fprintf(out, "  %-12s%10.3f s %5u.%u %%\n", name, (double)us / 1e6, tenths / 10, tenths % 10);
}

void timing_text(const struct wire_job *answer, FILE *out)
{
    const struct wire_job_row *row = &answer->jobs.at[0];
    uint64_t total = total_us(answer);
    if (!answer->timing.n) {
        fprintf(out, "%-12snot known: its coordinator is gone, or has ended %d jobs since\n",
                "time", TIMINGS_KEPT_MAX);
        return;
    }
    fprintf(out, "%-12s%.3f s%s\n", "time", (double)total / 1e6,
            job_is_finished(row) ? "" : " so far");
    for (size_t i = 0; i < answer->timing.n; i++) {
        char phase[4 * PHASE_NAME_MAX + 1];
        line(out, text_escape(phase, sizeof phase, answer->timing.at[i].phase),
             answer->timing.at[i].us, total);
    }
    if (answer->since_ms) {
        char when[CLOCK_TEXT_MAX];
        fprintf(out, "%-12s%s; what was earlier another coordinator knew\n", "known since",
                clock_text(answer->since_ms, when));
    }
    if (row->executed > row->total)
        fprintf(out, "%-12s%" PRIu64 " operations were executed more than once\n", "repeated",
                row->executed - row->total);
}

#include "clients/show/losses.h"
#include "shared/base/terminal.h"
#include "shared/base/text.h"

#include <inttypes.h>

json_t *losses_json(const struct wire_job *answer)
{
    json_t *list = json_array();
    for (size_t i = 0; i < answer->losses.n; i++) {
        const struct wire_loss *loss = &answer->losses.at[i];
        json_array_append_new(list,
                              json_pack("{s:I, s:I, s:I, s:I}", "node", (json_int_t)loss->node,
                                        "values", (json_int_t)loss->values, "operations",
                                        (json_int_t)loss->operations, "computing_us",
                                        (json_int_t)loss->us));
    }
    return list;
}

#define NAME_COLUMNS 12

void losses_text(const struct wire_job *answer, FILE *out)
{
    for (size_t i = 0; i < answer->losses.n; i++) {
        const struct wire_loss *loss = &answer->losses.at[i];
        struct text line = {0};
        text_add(&line,
                 "%-12snode %" PRIu64 " was lost with %" PRIu64
                 " values that it alone held: %" PRIu64
                 " operations computed again, %.3f s of computing",
                 i ? "" : "lost", loss->node, loss->values, loss->operations,
                 (double)loss->us / 1e6);
        terminal_wrap(line.at, 0, NAME_COLUMNS, out);
    }
}

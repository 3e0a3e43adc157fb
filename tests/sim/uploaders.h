/* uploaders.h - clients of the simulated world that upload stored values, go on after failures,
 * read them back, have jobs name them, and drop them; and what must hold of all that (V1, V2, V3).
 *
 * In one of eight seeds. They draw from a stream of their own. */
#ifndef CONCLAVE_SIM_UPLOADERS_H
#define CONCLAVE_SIM_UPLOADERS_H

#include "tests/sim/world.h"

#define WORLD_UPLOADERS_MAX 3
/* They are numbered after the clients and the askers. */
#define UPLOADERS_FIRST (WORLD_CLIENTS_MAX + WORLD_ASKERS_MAX)

/* Before any node starts: draws whether there are any, and for how long what nobody names is kept.
 */
void uploaders_open(struct world *world);

void uploader_wake(struct world *world, unsigned number);
void uploader_reply(struct world *world, unsigned number, const struct pending *pending);

/* They want nothing more. */
bool uploaders_are_idle(const struct world *world);

#endif

#include "tests/harness/datadir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/harness/tree.h"

char datadir[64];

int datadir_make(void **state)
{
    (void)state;
    text_format(datadir, sizeof datadir, "/tmp/conclave-store-XXXXXX");
    return mkdtemp(datadir) ? 0 : -1;
}

int datadir_remove(void **state)
{
    (void)state;
    return tree_remove(datadir);
}

const char *datadir_path(const char *name)
{
    static char path[DATADIR_PATH_ROOM];
    text_format(path, sizeof path, "%s/%s", datadir, name);
    return path;
}

struct disk *datadir_open(void)
{
    struct disk *disk;
    struct text why = {0};
    int error = disk_open(datadir_path("node"), "conclave", 3, DURABILITY_FSYNC, &disk, &why);
    if (error)
        fail_msg("%s", why.at);
    return disk;
}

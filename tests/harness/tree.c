#include "tests/harness/tree.h"

#include <ftw.h>
#include <stdio.h>

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

int tree_remove(const char *root)
{
    return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

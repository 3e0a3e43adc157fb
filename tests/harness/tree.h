/* tree.h - directories that tests make. */
#ifndef CONCLAVE_HARNESS_TREE_H
#define CONCLAVE_HARNESS_TREE_H

/* Removes a directory with all that is in it; follows no links. 0, or -1 as nftw(). */
int tree_remove(const char *root);

#endif

/* tool.h - what conclave-node does to a directory instead of running a node in it: `conclave
 * recover` and `conclave snapshot restore --node` call it, so that only this
 * program opens stores. */
#ifndef CONCLAVE_IO_TOOL_H
#define CONCLAVE_IO_TOOL_H

/* Runs "inspect DIR", "refound DIR TERM" "adopt FROM DIR ID [damaged]" or "ledger DIR SHARE":
 * words[0] is the name. Returns an exit code, after one line on stderr when it failed; -1: that is
 * none of its names. */
int tool_run(int n_words, char **words);

#endif

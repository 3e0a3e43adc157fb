#!/bin/sh
# The names of all fuzzers, a line each: NAME of every tests/fuzz/fuzz_NAME.c.
for file in "${0%/*}"/fuzz_*.c; do
    name=${file##*/fuzz_}
    echo "${name%.c}"
done

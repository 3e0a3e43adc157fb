#!/bin/sh
# Fuzzes the codec for some seconds (default 60): tests/fuzz/run.sh [seconds]
# Needs clang. What it learns stays in build/fuzz/corpus; a finding ends it and is left there as crash-*.
set -eu
cd "$(dirname "$0")/../.."
mkdir -p build/fuzz/corpus
msgpack=$(pkg-config --exists msgpack-c && echo msgpack-c || echo msgpack)
# shellcheck disable=SC2046
clang -g -O1 -std=c11 -I. -D_GNU_SOURCE -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
    -o build/fuzz/fuzz_codec tests/fuzz/fuzz_codec.c shared/wire/*.c shared/base/*.c \
    $(pkg-config --cflags --libs "$msgpack" libsodium)
/usr/bin/python3 - build/fuzz/corpus <<'PY'
import pathlib, re, sys
# A seed for every message of the schema: a map with its name.
for name in re.findall(r"\bM\([A-Z_]+, (\w+),", pathlib.Path("shared/wire/schema.h").read_text()):
    seed = b"\x82\xa4type" + bytes([0xa0 | len(name)]) + name.encode() + b"\xa7request\x01"
    (pathlib.Path(sys.argv[1]) / name).write_bytes(seed)
PY
# A fuzzer talks much: only its end is of interest, and after a finding all of it.
status=0
build/fuzz/fuzz_codec -max_total_time="${1:-60}" -max_len=4096 -artifact_prefix=build/fuzz/ \
    -print_final_stats=1 build/fuzz/corpus >build/fuzz/log 2>&1 || status=$?
if [ "$status" -ne 0 ]; then tail -n 200 build/fuzz/log; fi
grep '^Done ' build/fuzz/log || true
exit "$status"

#!/bin/sh
# Fuzzes, one after another, for some seconds in all: tests/fuzz/run.sh SECONDS [NAME...]
# `make test-fuzz` builds the fuzzers, then calls this. Each begins with its corpus in tests/fuzz/corpus; what it learns
# stays in build/fuzz/NAME (`make fuzz-corpus` takes it over). A finding ends it and is left in build/fuzz as NAME-crash-*.
# FUZZ_SEED=n: the same inputs every time, given the same corpus; otherwise others each time.
set -eu
cd "$(dirname "$0")/../.."
seconds=${1:-60}
[ $# -eq 0 ] || shift
# shellcheck disable=SC2046
[ $# -gt 0 ] || set -- $(sh tests/fuzz/names.sh)
each=$((seconds / $#))
[ "$each" -gt 0 ] || each=1

# A fuzzer talks much: only its end is of interest, and after a finding all of it.
fuzz() { # NAME
    status=0
    mkdir -p "build/fuzz/$1" "tests/fuzz/corpus/$1"
    "build/fuzz/fuzz_$1" -max_total_time="$each" -max_len=4096 -len_control=0 -timeout=60 -seed="${FUZZ_SEED:-0}" -artifact_prefix="build/fuzz/$1-" \
        -dict=build/fuzz/words -print_final_stats=1 "build/fuzz/$1" "tests/fuzz/corpus/$1" \
        >"build/fuzz/$1.log" 2>&1 || status=$?
    if [ "$status" -ne 0 ]; then tail -n 200 "build/fuzz/$1.log"; fi
    sed -n "s/^Done /$1: /p" "build/fuzz/$1.log"
    return "$status"
}

/usr/bin/python3 - build/fuzz <<'PY'
import pathlib, re, sys
import msgpack
# A seed for every message of the schema: a map with its name. And its words as msgpack has them, to put together.
root = pathlib.Path(sys.argv[1])
(root / "codec").mkdir(exist_ok=True)
schema = "".join(path.read_text() for path in pathlib.Path("shared/wire/schema").glob("*.h"))
messages = re.findall(r"\bM\([A-Z_0-9]+,\s*(\w+),\s*\w+_FIELDS,", schema)
fields = re.findall(r"\b(?:U64|BOOL|STR|BIN|LIST)\(\w+,\s*(\w+)", schema)
for name in messages:
    (root / "codec" / name).write_bytes(msgpack.packb({"type": name, "request": 1}))
words = {msgpack.packb(word) for word in [*messages, *fields, "type"]}
(root / "words").write_text("".join('"%s"\n' % "".join("\\x%02x" % byte for byte in word) for word in sorted(words)))
PY
for name in "$@"; do fuzz "$name"; done

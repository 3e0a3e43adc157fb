#!/bin/sh
# Fuzzes the codec, then snapshots as files, for some seconds in all (default 60): tests/fuzz/run.sh [seconds]
# `make test-fuzz` builds the fuzzers, then calls this. What it learns stays in build/fuzz/NAME; a finding ends it
# and is left in build/fuzz as crash-*.
set -eu
cd "$(dirname "$0")/../.."
seconds=$((${1:-60} / 2))
mkdir -p build/fuzz/codec build/fuzz/snapshot

# A fuzzer talks much: only its end is of interest, and after a finding all of it.
fuzz() { # NAME
    status=0
    "build/fuzz/fuzz_$1" -max_total_time="$seconds" -max_len=4096 -artifact_prefix=build/fuzz/ \
        -print_final_stats=1 "build/fuzz/$1" >"build/fuzz/$1.log" 2>&1 || status=$?
    if [ "$status" -ne 0 ]; then tail -n 200 "build/fuzz/$1.log"; fi
    sed -n "s/^Done /$1: /p" "build/fuzz/$1.log"
    return "$status"
}

/usr/bin/python3 - build/fuzz <<'PY'
import pathlib, re, struct, sys
import msgpack
# A seed for every message of the schema: a map with its name.
root = pathlib.Path(sys.argv[1])
schema = "".join(path.read_text() for path in pathlib.Path("shared/wire/schema").glob("*.h"))
for name in re.findall(r"\bM\([A-Z_]+, (\w+), \w+_FIELDS,", schema):
    (root / "codec" / name).write_bytes(msgpack.packb({"type": name, "request": 1}))

# A snapshot of two nodes: money in accounts, in a channel and in an outbox, a job and its operations.
def part(type_, **fields):
    frame = msgpack.packb({"type": type_} | fields)
    return struct.pack("<II", len(frame) + 4, len(frame)) + frame

def report(node, peer, *more):
    state = part("cut_state", node=node, incarnation=node, clock=9, time_ms=1, term=2, role="worker", epoch=node,
                 operations=1, conversions=0, held=0, jobs_open=1, jobs_finished=0, first_marker=2 - node,
                 counts=[{"node": peer, "incarnation": peer, "sent": 2, "received": 1}])
    return [state, part("cut_accounts", rows=[{"name": "A", "balance": 100}]),
            part("cut_pairs", rows=[{"name": "k", "value": b"v"}]), *more]

def channel(sender, message, **more):
    return part("cut_channel", **{"from": sender}, recorded=1, messages=[{"seq": 3, "clock": 8, "bytes": 0} | message], **more)

operation = {"job": 2 << 40 | 5, "op": 7, "attempt": 1}
first = report(1, 2, part("cut_ledger", pending=[{"node": 2, "number": 4, "sent": True, "amount": 5, "from_account": "A",
                                                  "to_account": "B"}], applied=[]),
               part("cut_jobs", rows=[{"job": 2 << 40 | 5, "spec": "9", "total": 3, "done": 1, "returned": 0,
                                       "assigned": 1, "pending": 1}]),
               part("cut_work", coordinator=True, ops=[operation | {"node": 2, "operations": 1}]),
               part("image_snaps", snapshots=1), channel(2, {"kind": "result"}, ops=[operation | {"seq": 3}]))
second = report(2, 1, part("cut_ledger", pending=[], applied=[{"node": 1, "epoch": 1, "upto": 3}]),
                channel(1, {"kind": "transfer", "number": 4, "amount": 5, "from_account": "A", "to_account": "B"}))
head = part("snapshot_head", initiator=1, incarnation=1, counter=1, complete=True, time_ms=1, took_us=1, bytes=1,
            nodes=[{"node": 1, "incarnation": 1, "parts": len(first)}, {"node": 2, "incarnation": 2, "parts": len(second)}])
(root / "snapshot" / "seed").write_bytes(b"".join([head, *first, *second]))
PY
fuzz codec
fuzz snapshot

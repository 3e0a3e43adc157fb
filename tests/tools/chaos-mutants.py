#!/usr/bin/python3
"""Does chaos see? Plants known bugs in the programs of build/mutants, one at a time, and runs the harness on them.

  chaos-mutants.py [--seconds 60] [--seed 1] [--nodes 5] [--json FILE] [MUTANT...]

A bug is caught when the verdict is `violated`, not when it is `unknown`. The table says by what, and after how many seconds of
load: the shortest part of the history that shows it. Without names, those that chaos must catch. Exit status 0 when all are caught.
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build/mutants"
sys.path[:0] = [str(ROOT / "tests/chaos"), str(ROOT / "tests/cluster")]

import history as histories  # noqa: E402
import verdict               # noqa: E402

# What chaos must catch; the others of shared/base/mutant.h are for the simulator, or for the tests on real processes.
CAUGHT = ("ack_before_disk", "empty_disk_votes", "image_loses_keys", "checkpoint_misses", "counted_twice", "marker_overtakes",
          "recorder_off_by_one", "transfer_applied_twice", "outbox_lost")
SECOND = 10 ** 9
FINE_SECONDS = 0.5       # to which the shortest part is looked for


def lines_of(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def violated(lines, until):
    """What the history shows up to a moment."""
    part = [line for line in lines if line["t"] <= until]
    return verdict.judge(histories.parse(part))["violated"]


def first_shown(lines):
    """(seconds since the load began, the first of what is violated): of the shortest part that shows anything."""
    begin = next((line["t"] for line in lines if line["type"] == "mark" and line["f"] == "load"), lines[0]["t"])
    low, high = begin, lines[-1]["t"]
    told = violated(lines, high)
    while told and high - low > FINE_SECONDS * SECOND:
        middle = (low + high) // 2
        here = violated(lines, middle)
        low, high, told = (low, middle, here) if here else (middle, high, told)
    return (high - begin) / SECOND, told[0] if told else None


def run(mutant, options):
    """A row of the table."""
    out = pathlib.Path(tempfile.mkdtemp(prefix="chaos-mutant."))
    environment = dict(os.environ, MUTANT_PLANTED=mutant, CONCLAVE_BIN=str(BUILD / "bin"))
    try:
        done = subprocess.run(
            [sys.executable, "-B", str(ROOT / "tests/chaos/chaos.py"), "--seconds", str(options.seconds), "--seed",
             str(options.seed), "--nodes", str(options.nodes), "--out", str(out)], env=environment, capture_output=True,
            text=True, check=False)
        if not (out / "history.jsonl").exists():
            return {"mutant": mutant, "caught": False, "by": f"no history: {done.stderr[-200:]}", "seconds": None}
        seconds, by = first_shown(sorted(lines_of(out / "history.jsonl"), key=lambda line: line["t"]))
        return {"mutant": mutant, "caught": bool(by), "by": by or "nothing", "seconds": round(seconds, 1) if by else None}
    finally:
        shutil.rmtree(out, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--nodes", type=int, default=5)
    parser.add_argument("--json", help="the rows go there")
    parser.add_argument("mutants", nargs="*", metavar="MUTANT")
    options = parser.parse_args()
    rows = []
    for mutant in options.mutants or CAUGHT:
        rows.append(run(mutant, options))
        row = rows[-1]
        print(f"{'caught' if row['caught'] else 'MISSED':<7}{row['seconds'] or '-':>8} s  {mutant:<24} "
              f"{' '.join(row['by'].split())[:150]}", flush=True)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    missed = sum(not row["caught"] for row in rows)
    print(f"chaos-mutants: {len(rows) - missed} caught, {missed} missed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

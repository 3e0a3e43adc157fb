#!/usr/bin/python3
"""Nothing is wrong, and the load is the highest there is: no election, no suspicion, no loop that stands still.

  steady.py [--runs 10] [--nodes 6] [--job 10000000] [--turn-ms 50] [--results FILE]

Each run starts a cluster, fills its state, then computes the largest job that the default limits allow while money is
moved as fast as it goes, and checkpoints of the full state are written. Exit status 0 when in every run the first
coordinator stayed, nobody was suspected, and no turn of an event loop took longer than --turn-ms, not counting what it
waited for a processor: six nodes and their clients want more processors than a small machine has.
"""
import argparse
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cluster"))

import harness           # noqa: E402

FILLING = 4000           # finished small jobs, so that a checkpoint has something to pack
LOOK = 0.5               # seconds between two looks at the status


def ended(process, within):
    """Waits until the process ends, true, or so many seconds have passed."""
    try:
        process.wait(within)
    except subprocess.TimeoutExpired:
        return False
    return True


def long_turns(cluster):
    """What the nodes said of their turns, with what each was spent on."""
    return [f"{log.name}: {line}" for log in sorted(cluster.dir.rglob("*.log"))
            for line in log.read_text(errors="replace").splitlines() if "a turn of the event loop" in line]


def run(directory, arguments):
    """One run: what was seen, as a dictionary."""
    cluster = harness.Cluster(directory, nodes=arguments.nodes, compact_entries=4096)
    try:
        cluster.start()
        first = cluster.wait_healthy(20)
        jobs = cluster.dir / "jobs"
        jobs.write_text("".join(f"factorial {i % 300}\n" for i in range(FILLING)))
        cluster.ok("submit", "--file", jobs, timeout=300)
        since, worst, began = cluster.feed.mark(), {}, time.monotonic()
        bank = cluster.start_conclave("bank", "load", "--rate", "0", "--seconds", "3600")
        job = cluster.start_conclave("submit", "factorial", str(arguments.job), "--output", str(cluster.dir / "digits"))
        more = cluster.start_conclave("submit", "--file", str(jobs))
        while not ended(job, LOOK) and time.monotonic() < began + 600:
            status = cluster.status()
            for row in status["nodes"] if status else []:
                own = (row["longest_turn_own_us"], row["longest_turn_own_in"], row["longest_turn_page_faults"])
                turn = (row["longest_turn_us"], row["longest_turn_in"])
                before = worst.get(row["id"], (own, turn))
                worst[row["id"]] = max(own, before[0]), max(turn, before[1])
        for client in (bank, more):
            client.terminate()
        last = cluster.wait_served(20)
        suspected = cluster.feed.trouble(since)
        return {"done": job.poll() == 0, "seconds": time.monotonic() - began, "suspected": suspected,
                "elections": last["term"] - first["term"], "own": max((row[0] for row in worst.values()), default=(0, "", 0)),
                "turn": max((row[1] for row in worst.values()), default=(0, "")), "long": long_turns(cluster)}
    finally:
        cluster.close()


def main():
    harness.end_by_exit()
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--nodes", type=int, default=6)
    parser.add_argument("--job", type=int, default=10000000)
    parser.add_argument("--turn-ms", type=float, default=50)
    parser.add_argument("--results", help="the sum (passed failed) goes there")
    arguments = parser.parse_args()
    failed = 0
    for number in range(1, arguments.runs + 1):
        directory = pathlib.Path(tempfile.mkdtemp(prefix="conclave-steady."))
        try:
            seen = run(directory, arguments)
        finally:
            shutil.rmtree(directory, ignore_errors=True)
        longest_us, where = seen["turn"]
        own_us, own_in, faults = seen["own"]
        good = (seen["done"] and not seen["elections"] and not seen["suspected"] and
                own_us <= 1000 * arguments.turn_ms)
        failed += not good
        print(f"run {number}: {'ok' if good else 'FAIL'}, {arguments.job}! in {seen['seconds']:.1f} s, "
              f"{seen['elections']} elections, longest turn {own_us / 1000:.1f} ms of its own ({own_in}, {faults} page faults), "
              f"{longest_us / 1000:.1f} ms with waiting for a processor ({where})", flush=True)
        for line in seen["suspected"] + ([] if good else seen["long"]):
            print(f"    {line}")
    if arguments.results:
        pathlib.Path(arguments.results).write_text(f"{arguments.runs - failed} {failed}\n")
    print(f"steady: {arguments.runs - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""make compare BEFORE=DIR: operations/s, jobs/s and the processor time of nodes, idle and at work, of
this build and of another one (the directory with its programs), in turn, each with a fresh cluster:
what is to be read is the ratios. Processor time is steadier than the clock on a machine that others
use as well. Nothing here fails because something is slow.
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import bench
from bench import harness

NUMBERS = (("operations/s", "operations"), ("us an operation", "operation_us"), ("jobs/s", "jobs"),
           ("us a job", "job_us"), ("idle, % of a core", "idle"))
LARGE_JOBS = 5  # their median


def busy_s(pids):
    """Processor time of these processes so far."""
    return sum(map(harness.cpu_seconds, pids))


def idle_percent(cluster, seconds):
    """Of one processor, a node, on the average of all."""
    pids = [process.pid for process in cluster.nodes.values()]
    began, busy = time.monotonic(), busy_s(pids)
    time.sleep(seconds)  # what is measured is that nothing happens
    return 100 * (busy_s(pids) - busy) / (time.monotonic() - began) / len(pids)


def one(options):
    """In a process of its own, because the harness takes its programs from the environment."""
    cluster = harness.Cluster(pathlib.Path(options.dir), nodes=options.nodes, durability="fsync",
                              log_level="warn")
    try:
        cluster.start().wait_healthy()
        cluster.submit(1000)  # connections and caches are warm
        pids = [process.pid for process in cluster.nodes.values()]
        busy = [busy_s(pids)]
        rates = {"operations": statistics.median(bench.operations_per_second(cluster, options)
                                                 for _ in range(LARGE_JOBS))}
        busy.append(busy_s(pids))
        rates["jobs"] = bench.jobs_per_second(cluster, options)
        busy.append(busy_s(pids))
        rates["operation_us"] = 1e6 * (busy[1] - busy[0]) / LARGE_JOBS / options.factorial
        rates["job_us"] = 1e6 * (busy[2] - busy[1]) / options.jobs
        cluster.wait_healthy()
        rates["idle"] = idle_percent(cluster, options.idle)
        print(json.dumps(rates))
    finally:
        cluster.close()


def measure(programs, directory):
    done = subprocess.run([sys.executable, "-B", __file__, "--one", *sys.argv[1:], "--dir", directory],
                          env={**os.environ, "CONCLAVE_BIN": str(programs)}, check=True,
                          capture_output=True, text=True)
    shutil.rmtree(directory, ignore_errors=True)
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("before", type=pathlib.Path, help="the directory of the other build's programs")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--nodes", type=int, default=6)
    parser.add_argument("--factorial", type=int, default=1000000)
    parser.add_argument("--jobs", type=int, default=8000)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--window", type=int, default=64, help="jobs on their way, each client")
    parser.add_argument("--idle", type=int, default=15, help="seconds")
    parser.add_argument("--dir", default=".", help="a directory on the disk that is measured")
    options = parser.parse_args()
    if options.one:
        one(options)
        return
    builds = {"before": options.before.resolve(), "this": pathlib.Path(os.environ["CONCLAVE_BIN"])}
    top = pathlib.Path(tempfile.mkdtemp(prefix="compare.", dir=options.dir)).resolve()
    measured = {name: [] for name in builds}
    try:
        for turn in range(options.rounds):
            for name in list(builds)[::1 if turn % 2 else -1]:
                measured[name].append(measure(builds[name], top / f"{name}{turn}"))
                print(f"  {name:<7}" + "".join(f"{measured[name][-1][key]:>12,.2f} {what}"
                                               for what, key in NUMBERS), flush=True)
    finally:
        shutil.rmtree(top, ignore_errors=True)
    print(f"\n{'median of ' + str(options.rounds):<20}{'before':>12}{'this':>12}{'ratio':>8}")
    for what, key in NUMBERS:
        before, this = (statistics.median(each[key] for each in measured[name]) for name in builds)
        print(f"{what:<20}{before:>12,.2f}{this:>12,.2f}{this / before:>8.2f}")


if __name__ == "__main__":
    main()

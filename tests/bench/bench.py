"""make bench: what durability costs. Operations/s and jobs/s of a real cluster, once with every promise
on the disk before it is made (fsync), once left to the operating system (os), once not written (off).

The same machine, the same minute, the variants in turn, each with a fresh cluster: what is to be read
is the ratios. Nothing here fails because something is slow.
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
import uuid

import msgpack
import zmq

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cluster"))
import figures  # noqa: E402
import harness  # noqa: E402  (it lies beside the cluster tests)
import locks    # noqa: E402

VARIANTS = ("fsync", "os", "off")
NAMES = ("operations_per_second", "jobs_per_second", "accepted_ms")
LONE_SUBMITS = 100
AGAIN = 0.01  # seconds after a refusal that passes
TINY, TINY_RESULT = "10", "3628800"  # of the many jobs: four operations and a conversion


def load(cluster, jobs, clients, window):
    """Tiny jobs through so many clients at once, each from its submit to its result: what the program tests/bench/load.c says."""
    program = pathlib.Path(os.environ.get("CONCLAVE_BENCH") or harness.BIN.parent / "bench") / "load"
    done = subprocess.run([program, "--clients", str(clients), "--window", str(window), "--jobs", str(jobs), "factorial", TINY],
                          env=cluster.environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(f"load: {done.stderr}{done.stdout}")
    said = json.loads(done.stdout)
    assert said["jobs"] == jobs and said["result"] == TINY_RESULT, said
    return said


def nobody_listens(cluster):
    """The harness listens to what the nodes publish, two events for each job: in Python that is a tenth of a processor."""
    cluster.feed.close()


def jobs_per_second(cluster, options):
    return load(cluster, options.jobs, options.clients, options.window)["jobs_per_second"]


def operations_per_second(cluster, options):
    began = time.monotonic()
    job = cluster.submit(options.factorial, timeout=300)
    return job["operations"]["executed"] / (time.monotonic() - began)


def acknowledged_ms(cluster):
    """What a lone client waits until its job is accepted: on disk at a majority."""
    dealer = zmq.Context.instance().socket(zmq.DEALER)
    dealer.linger = 0
    locks.connect(dealer, cluster.broker)
    times = []
    for number in range(LONE_SUBMITS):
        began = time.monotonic()
        dealer.send(msgpack.packb({"type": "submit", "request": number, "key": str(uuid.uuid4()),
                                   "kind": "factorial", "spec": TINY}))
        assert dealer.poll(30000) and msgpack.unpackb(dealer.recv())["type"] == "job"
        times.append(1000 * (time.monotonic() - began))
    dealer.close()
    return statistics.median(times)


def measure(variant, directory, options):
    """A fresh cluster: operations/s, jobs/s, milliseconds."""
    cluster = harness.Cluster(directory, nodes=options.nodes, durability=variant,
                              log_level="warn")
    try:
        cluster.start().wait_healthy()
        cluster.submit(1000)  # connections and caches are warm
        began = cluster.wait_served()["term"]
        nobody_listens(cluster)
        rates = (operations_per_second(cluster, options), jobs_per_second(cluster, options),
                 acknowledged_ms(cluster))
        elections = cluster.wait_served()["term"] - began
        print(f"  {variant:<6} {rates[0]:>10,.0f} operations/s {rates[1]:>8,.0f} jobs/s"
              f"{rates[2]:>8.1f} ms"
              f"{'   (a coordinator was replaced meanwhile)' if elections else ''}", flush=True)
        return rates
    finally:
        cluster.close()
        shutil.rmtree(directory, ignore_errors=True)


def show(what, number, measured, digits=0):
    base = statistics.median(rates[number] for rates in measured["fsync"])
    for variant in VARIANTS:
        rates = [each[number] for each in measured[variant]]
        middle = statistics.median(rates)
        columns = "".join(f"{rate:>12,.{digits}f}" for rate in (middle, min(rates), max(rates)))
        print(f"{what:<18}{variant:<8}{columns}{middle / base:>10.2f}")


def disk_commits(commits, directory):
    """Commits/s of LMDB alone on the same disk."""
    directory.mkdir()
    out = subprocess.run([commits, directory, "2"], capture_output=True, text=True, check=True)
    return float(out.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--nodes", type=int, default=6)
    parser.add_argument("--factorial", type=int, default=1000000)
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--window", type=int, default=64, help="jobs on their way, each client")
    parser.add_argument("--dir", default=".", help="a directory on the disk that is measured")
    parser.add_argument("--commits", help="the program of tests/bench/commits.c")
    figures.add_option(parser)
    options = parser.parse_args()
    top = pathlib.Path(tempfile.mkdtemp(prefix="bench.", dir=options.dir)).resolve()
    measured, commits = {variant: [] for variant in VARIANTS}, None
    try:
        print(f"{options.nodes} nodes, a broker and {options.clients} clients on "
              f"{os.cpu_count()} processors; {options.rounds} rounds, variants in turn")
        if options.commits:
            commits = disk_commits(options.commits, top / "raw")
            print(f"this disk, LMDB alone: {commits:,.0f} synced commits/s, one after another")
        for turn in range(options.rounds):
            for variant in VARIANTS[turn % 3:] + VARIANTS[:turn % 3]:
                measured[variant].append(measure(variant, top / f"{variant}{turn}", options))
    finally:
        shutil.rmtree(top, ignore_errors=True)
    figures.put(options.json, "durability", {
        "options": figures.options_of(options), "disk_commits": commits, "rounds": {variant: [dict(zip(NAMES, rates)) for rates in measured[variant]]
                                                           for variant in VARIANTS}})
    print(f"\n{'':<26}{'median':>12}{'least':>12}{'most':>12}{'to fsync':>10}")
    show("operations/s", 0, measured)
    show("jobs/s", 1, measured)
    show("accepted after ms", 2, measured, 2)
    print(f"\noperations: those of factorial {options.factorial}, from submit to its text; jobs: "
          f"{options.jobs} times\nfactorial {TINY} through {options.clients} clients with "
          f"{options.window} on their way each, from submit to result;\naccepted: the answer to a "
          "lone client's submit")


if __name__ == "__main__":
    main()

"""make bench-others: Conclave beside others that do a part of what it does, in the same run, in turn, several rounds.

  others.py [--rounds 3] [--nodes 6] [--jobs 8000] [--json FILE] [--plots DIR]

Small jobs: 10! through four clients, durable at a majority of the nodes, with keys; gearmand's in memory, by one process, with as
many workers and clients, without keys; and round trips of messages of 100 bytes through one ROUTER, with keys and without.
Numbers: a factorial and a product on the cluster (until the value is known) and in one process, by GMP and by FLINT.
What is to be read is the ratios. Nothing here fails because something is slow.
"""
import argparse
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile

import bench
import figures
from bench import harness
from jobs import Job

CLIENTS, WINDOW = 4, 64
BATCH = 500             # jobs of each of gearmand's clients at a time: with 64 of them it has less than half the rate
MESSAGES, BYTES = 100000, 100
PROGRAMS = pathlib.Path(os.environ.get("CONCLAVE_BENCH") or harness.BIN.parent / "bench")


def said(program, *words):
    """The first number that a program prints."""
    done = subprocess.run([PROGRAMS / program, *map(str, words)], capture_output=True, text=True, check=True, timeout=600)
    return float(done.stdout.split()[0])


class Gearman:
    """A job server without a store, as Debian's package has it."""

    def __init__(self):
        self.ports = harness.Ports(1, 1)  # a range of our own
        self.server = subprocess.Popen(["gearmand", "--listen=127.0.0.1", f"--port={self.ports.base}", "--log-file=none",
                                        f"--threads={os.cpu_count()}"], stdin=subprocess.DEVNULL)
        harness.wait_for(self.listens, what="gearmand listens")

    def listens(self):
        assert self.server.poll() is None, "gearmand has ended"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.ports.base)) == 0

    def jobs_per_second(self, workers, jobs):
        return said("gearman_jobs", self.ports.base, workers, CLIENTS, BATCH, jobs)

    def close(self):
        self.server.kill()
        self.server.wait()
        self.ports.release()


def small_jobs(cluster, gearman, raw, options):
    """One round: each number by its name. What the disk gives at that moment is beside it: it is what holds up who waits for it."""
    commits = bench.disk_commits(PROGRAMS / "commits", raw)
    bench.nobody_listens(cluster)
    load = bench.load(cluster, options.jobs, CLIENTS, WINDOW)
    return {"conclave": load["jobs_per_second"], "conclave_p50_ms": load["latency_ms"]["p50"],
            "conclave_p99_ms": load["latency_ms"]["p99"], "client_processor_s": load["processor_seconds"],
            "disk_commits": commits, "gearmand": gearman.jobs_per_second(options.nodes - 1, options.jobs),
            "router_keys": said("router", CLIENTS, WINDOW, MESSAGES, BYTES, "keys"),
            "router": said("router", CLIENTS, WINDOW, MESSAGES, BYTES)}


def numbers(jobs):
    """One round of each: seconds until the value is known."""
    return {job.name: {"conclave": job.run(False)[0], "gmp": said("gmp_numbers", job.kind, job.n),
                       "flint": said("gmp_numbers", f"flint-{job.kind}", job.n)} for job in jobs}


def median_of(rounds, *names):
    values = rounds
    for name in names:
        values = [value[name] for value in values]
    return statistics.median(values), min(values), max(values)


def show(rounds, options):
    print(f"\n{'':<44}{'median':>10}{'least':>10}{'most':>10}{'ratio':>8}")
    base = median_of(rounds, "small", "conclave")[0]
    for name, what in (("conclave", f"jobs/s, Conclave, {options.nodes} nodes, durable, keys"),
                       ("gearmand", "jobs/s, gearmand, in memory"), ("disk_commits", "synced commits/s, LMDB alone on that disk"),
                       ("router_keys", "round trips/s, ROUTER with keys"), ("router", "round trips/s, ROUTER")):
        row = median_of(rounds, "small", name)
        print(f"{what:<44}" + "".join(f"{value:>10,.0f}" for value in row) + f"{row[0] / base:>8.2f}")
    for job in rounds[0]["numbers"]:
        base = median_of(rounds, "numbers", job, "gmp")[0]
        for name in ("conclave", "gmp", "flint"):
            row = median_of(rounds, "numbers", job, name)
            print(f"{f's, {job}, {name}':<44}" + "".join(f"{value:>10.3f}" for value in row) + f"{row[0] / base:>8.2f}")


def main():
    harness.end_by_exit()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--nodes", type=int, default=6)
    parser.add_argument("--jobs", type=int, default=8000)
    parser.add_argument("--numbers", nargs="*", default=["factorial:3000000", "product:1000000"])
    parser.add_argument("--dir", default=".", help="a directory on the disk that is measured")
    figures.add_option(parser)
    options = parser.parse_args()
    options.gmp, options.ops = PROGRAMS / "gmp_numbers", False
    if not shutil.which("gearmand", path=os.environ["PATH"] + ":/usr/sbin"):
        raise SystemExit("bench-others: gearmand is missing: Debian's package gearman-job-server has it")
    os.environ["PATH"] += ":/usr/sbin"
    top = pathlib.Path(tempfile.mkdtemp(prefix="others.", dir=options.dir)).resolve()
    cluster, gearman = harness.Cluster(top / "cluster", nodes=options.nodes, log_level="warn"), None
    rounds, load_before = [], os.getloadavg()[0]
    try:
        gearman = Gearman()
        cluster.start().wait_healthy(30)
        jobs = [Job(cluster, options, name) for name in options.numbers]
        for number in range(options.rounds):
            rounds.append({"small": small_jobs(cluster, gearman, top / f"raw{number}", options), "numbers": numbers(jobs)})
            print(f"  round {number + 1}: {rounds[-1]}", file=sys.stderr, flush=True)
    finally:
        cluster.close()
        if gearman:
            gearman.close()
        shutil.rmtree(top, ignore_errors=True)
    figures.put(options.json, "others", {"options": figures.options_of(options), "load_before": load_before, "rounds": rounds})
    show(rounds, options)


if __name__ == "__main__":
    main()

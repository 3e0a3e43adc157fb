"""make bench-growth: how what a cluster does grows with what it is asked. Jobs of 10! a second, and the nodes' processor time for
one, with so many finished jobs remembered (--keep-jobs); and factorials from their submit until the value is known and until the
text is there, beside GMP in one process, in turn. Nothing here fails because something is slow.
"""
import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import types

import bench
import figures
import large
from bench import harness
from compare import busy_s

KEPT_MOST = 100000  # --keep-jobs takes no more
FILL_WINDOW = 256   # jobs on their way of each client that fills


def fill(cluster, jobs, options):
    if jobs > 0:
        bench.load(cluster, jobs, options.clients, FILL_WINDOW)


def remembered(directory, options):
    """One cluster that remembers more and more: rows of (remembered, jobs/s of each round, us a job)."""
    cluster, rows, done = harness.Cluster(directory, nodes=options.nodes, log_level="warn", keep_jobs=KEPT_MOST), [], 0
    try:
        cluster.start().wait_healthy(30)
        pids = [process.pid for process in cluster.nodes.values()]
        for mark in options.remembered:
            fill(cluster, mark - done, options)
            done, rates = max(done, mark), []
            busy = busy_s(pids)
            for _ in range(options.rounds):
                rates.append(bench.jobs_per_second(cluster, options))
                done += options.jobs
            rows.append({"remembered": min(mark, KEPT_MOST), "jobs": rates,
                         "job_us": 1e6 * (busy_s(pids) - busy) / options.jobs / options.rounds})
            print(f"{rows[-1]['remembered']:>10,} remembered: {statistics.median(rates):>8,.0f} jobs/s"
                  f"{rows[-1]['job_us']:>8.0f} us of the nodes for one", flush=True)
    finally:
        cluster.close()
        shutil.rmtree(directory, ignore_errors=True)
    return rows


def gmp(program, n, directory):
    """Seconds until GMP has the value, and until the text is in a file."""
    path = directory / "gmp"
    done = subprocess.run([program, str(n), path], check=True, capture_output=True, text=True)
    path.unlink()
    value, text = map(float, done.stdout.split())
    return value, value + text


def factorials(directory, options):
    cluster, rows = harness.Cluster(directory / "cluster", nodes=options.nodes, log_level="warn"), []
    try:
        cluster.start().wait_healthy(30)
        for n in options.factorials:
            row = {"n": n, "value_s": [], "text_s": [], "gmp_value_s": [], "gmp_text_s": []}
            for _ in range(options.rounds if n <= options.once else 1):
                seen = large.run(cluster, types.SimpleNamespace(job=n, plan=None, kill=False))
                row["value_s"].append(seen["known"])
                row["text_s"].append(seen["seconds"])
                value, text = gmp(options.gmp, n, directory)
                row["gmp_value_s"].append(value)
                row["gmp_text_s"].append(text)
            rows.append(row)
            middle = {name: statistics.median(row[name]) for name in row if name != "n"}
            print(f"{n:>12,}!: value {middle['value_s']:>8.3f} s, GMP {middle['gmp_value_s']:>8.3f} s; "
                  f"text {middle['text_s']:>8.3f} s, GMP {middle['gmp_text_s']:>8.3f} s", flush=True)
    finally:
        cluster.close()
    return rows


def main():
    harness.end_by_exit()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=6)
    parser.add_argument("--remembered", type=int, nargs="*", default=[1000, 10000, KEPT_MOST])
    parser.add_argument("--factorials", type=int, nargs="*", default=[100000, 1000000, 10000000])
    parser.add_argument("--once", type=int, default=3000000, help="larger factorials are computed once, not in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=3000, help="over so many jobs/s is measured, each round")
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--window", type=int, default=64, help="jobs on their way, each client")
    parser.add_argument("--gmp", required=True, help="the program gmp_factorial")
    parser.add_argument("--dir", default=".", help="a directory on the disk that is measured")
    figures.add_option(parser)
    options = parser.parse_args()
    top = pathlib.Path(tempfile.mkdtemp(prefix="growth.", dir=options.dir)).resolve()
    print(f"{options.nodes} nodes on {os.cpu_count()} processors; load {os.getloadavg()[0]:.1f} before")
    try:
        rows = {"remembered": remembered(top / "kept", options) if options.remembered else [],
                "factorials": factorials(top, options) if options.factorials else []}
    finally:
        shutil.rmtree(top, ignore_errors=True)
    figures.put(options.json, "growth", {name: found for name, found in rows.items() if found} | {"options": figures.options_of(options)})


if __name__ == "__main__":
    main()

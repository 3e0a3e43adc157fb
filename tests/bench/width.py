"""make bench-width: what more nodes bring and cost. For each size, on a fresh cluster: how long the start takes until all are
there, jobs of 10! a second with the nodes' processor time for one, what an idle node costs, and failover: from kill -9 of the
coordinator to the answer to a write that was asked for after it. Nothing here fails because something is slow.
"""
import argparse
import os
import pathlib
import shutil
import statistics
import tempfile

import bench
import figures
import idle
import keys
from bench import harness

COLUMNS = (("up s", "up_s", 2), ("busy s", "up_busy_s", 2), ("jobs/s", "jobs", 0), ("us a job", "job_us", 0),
           ("idle %", "idle_percent", 2), ("broker %", "broker_percent", 2), ("failover ms", "failover_ms", 1))


def measure(directory, nodes, options):
    cluster = idle.Quiet(directory, nodes)
    try:
        row = {"nodes": nodes} | idle.start(cluster) | idle.rest(cluster, options.seconds)
        cluster.submit(1000)  # connections and caches are warm
        busy = sum(map(harness.cpu_seconds, cluster.pids().values()))
        row["jobs"] = bench.jobs_per_second(cluster, options)
        row["job_us"] = 1e6 * (sum(map(harness.cpu_seconds, cluster.pids().values())) - busy) / options.jobs
        row["failovers_ms"] = keys.failovers_ms(cluster, options)
        row["failover_ms"] = statistics.median(row["failovers_ms"])
        return row
    finally:
        cluster.close()
        shutil.rmtree(directory, ignore_errors=True)


def main():
    harness.end_by_exit()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, nargs="+", default=[3, 6, 12, 25])
    parser.add_argument("--seconds", type=float, default=10, help="that nothing happens")
    parser.add_argument("--jobs", type=int, default=4000)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--window", type=int, default=64, help="jobs on their way, each client")
    parser.add_argument("--kills", type=int, default=5, help="of the coordinator")
    parser.add_argument("--dir", default=".", help="a directory on the disk that is measured")
    figures.add_option(parser)
    options = parser.parse_args()
    top = pathlib.Path(tempfile.mkdtemp(prefix="width.", dir=options.dir)).resolve()
    rows = []
    print(f"{os.cpu_count()} processors\n{'nodes':>6}" + "".join(f"{what:>13}" for what, _, _ in COLUMNS))
    try:
        for nodes in options.nodes:
            rows.append(measure(top / str(nodes), nodes, options))
            print(f"{nodes:>6}" + "".join(f"{rows[-1][name]:>13,.{digits}f}" for _, name, digits in COLUMNS), flush=True)
    finally:
        shutil.rmtree(top, ignore_errors=True)
    figures.put(options.json, "width", {"rows": rows, "options": figures.options_of(options)})


if __name__ == "__main__":
    main()

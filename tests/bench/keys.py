"""make bench: what keys cost. Jobs/s, operations/s, transfers/s and failover of a real cluster, once with keys (CURVE on every
socket) and once with --insecure, in turn, each with a fresh cluster: what is to be read is the ratios. Failover: from kill -9 of
the coordinator to the answer to a write that was asked for after it. Nothing here fails because something is slow.
"""
import argparse
import os
import pathlib
import shutil
import statistics
import tempfile
import time

import bench
import failover
import figures
from bench import harness

VARIANTS = ("keys", "insecure")
NUMBERS = (("operations/s", "operations", 0), ("jobs/s", "jobs", 0), ("transfers/s", "transfers", 0),
           ("failover, ms", "failover", 1))
PACE = 0.002        # seconds between two writes: what a write waits for its turn is in what is measured
CALM_SECONDS = 0.3  # of answers before the next kill: its moment is not that of a timer


def transfers_per_second(cluster, options):
    return cluster.json("bank", "load", "--rate", 0, "--seconds", options.seconds, "--window", 256, "--accounts", 100,
                        "--fund", 1000000)["transfers_per_second"]


def failovers_ms(cluster, options):
    """Of so many kills, one after another, each when all are there again."""
    failover.PACE = PACE
    writer, times = failover.BrokerWriter(cluster), []
    writer.start()
    try:
        for _ in range(options.kills):
            status = cluster.wait_healthy()
            time.sleep(CALM_SECONDS)
            writer.first_after(time.monotonic())
            process = cluster.nodes[status["coordinator"]]
            process.kill()
            times.append(1000 * writer.first_after(time.monotonic()))
            process.wait()
            cluster.start_node(status["coordinator"])
    finally:
        writer.end()
    return times


def measure(variant, directory, nodes, options):
    """Of a fresh cluster: each number by its name; failover: of all kills."""
    cluster = harness.Cluster(directory, nodes=nodes, insecure=variant == "insecure", log_level="warn")
    try:
        cluster.start().wait_healthy()
        cluster.submit(1000)  # connections and caches are warm
        rates = {"operations": bench.operations_per_second(cluster, options),
                 "jobs": bench.jobs_per_second(cluster, options),
                 "transfers": transfers_per_second(cluster, options), "failover": failovers_ms(cluster, options)}
        print(f"  {nodes} nodes, {variant:<9}{rates['operations']:>10,.0f} operations/s {rates['jobs']:>8,.0f} jobs/s "
              f"{rates['transfers']:>8,.0f} transfers/s {statistics.median(rates['failover']):>6.1f} ms", flush=True)
        return rates
    finally:
        cluster.close()
        shutil.rmtree(directory, ignore_errors=True)


def values(rounds, name):
    return [value for rates in rounds for value in (rates[name] if name == "failover" else [rates[name]])]


def show(nodes, measured):
    for what, name, digits in NUMBERS:
        base = statistics.median(values(measured["insecure"], name))
        for variant in VARIANTS:
            all_of = values(measured[variant], name)
            columns = "".join(f"{rate:>12,.{digits}f}" for rate in (statistics.median(all_of), min(all_of), max(all_of)))
            print(f"{f'{nodes} nodes, {what}':<26}{variant:<9}{columns}{statistics.median(all_of) / base:>13.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--nodes", type=int, nargs="+", default=[3])
    parser.add_argument("--factorial", type=int, default=1000000)
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--window", type=int, default=64, help="jobs on their way, each client")
    parser.add_argument("--seconds", type=int, default=3, help="of transfers")
    parser.add_argument("--kills", type=int, default=8, help="of the coordinator, each time")
    parser.add_argument("--dir", default=".", help="a directory on the disk that is measured")
    figures.add_option(parser)
    options = parser.parse_args()
    top = pathlib.Path(tempfile.mkdtemp(prefix="bench.", dir=options.dir)).resolve()
    measured = {nodes: {variant: [] for variant in VARIANTS} for nodes in options.nodes}
    try:
        print(f"keys: a broker and {options.clients} clients on {os.cpu_count()} processors; {options.rounds} rounds, variants "
              "in turn")
        for turn in range(options.rounds):
            for nodes in options.nodes:
                for variant in VARIANTS[turn % 2:] + VARIANTS[:turn % 2]:
                    measured[nodes][variant].append(measure(variant, top / f"{variant}{nodes}.{turn}", nodes, options))
    finally:
        shutil.rmtree(top, ignore_errors=True)
    figures.put(options.json, "keys", {"options": figures.options_of(options), "rounds": measured})
    print(f"\n{'':<35}{'median':>12}{'least':>12}{'most':>12}{'to insecure':>13}")
    for nodes in options.nodes:
        show(nodes, measured[nodes])


if __name__ == "__main__":
    main()

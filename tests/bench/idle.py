"""make bench-idle: what clusters cost that have nothing to do, and what it takes to start them. For each size: the time and the
processor time until all nodes are there, then the processor time of an idle node, its heartbeats, and what the formula of
docs/performance.md says of it:

    processor time a second = W * wakings + M * messages

with W and M, the price of waking and of a message, found from the sizes measured (least squares). Messages are the heartbeats
that a node sends, one to each who listens, and those that it receives; they are counted on the feed. Wakings are counted by the
kernel: voluntary switches of all threads. Nothing here fails because something is slow.
"""
import argparse
import os
import pathlib
import shutil
import statistics
import tempfile
import time

import bench
import figures
from bench import harness

SETTLE = 3  # seconds after the start: nothing is left to tell
LISTENERS = 2  # besides the nodes: the broker, and the feed that counts here
NOTHING = 1e-9


def switches(pid):
    """Voluntary context switches of all threads of the process."""
    count = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        for line in (task / "status").read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches:"):
                count += int(line.split()[1])
    return count


def heartbeats(cluster, since):
    """By node: how many heartbeats came since."""
    counts = dict.fromkeys(cluster.nodes, 0)
    for message in cluster.feed.messages[since:]:
        if message["type"] == "heartbeat":
            counts[message["node"]] += 1
    return counts


class Quiet(harness.Cluster):
    """A cluster whose listener asks the nodes nothing: as it is when nobody tests it."""

    def __init__(self, directory, nodes):
        harness.Feed.ASK_MS = 0
        super().__init__(directory, nodes=nodes, durability="fsync", log_level="warn")

    def pids(self):
        return {node: process.pid for node, process in self.nodes.items()}


def start(cluster):
    """Until all are there: how long it takes, and the nodes' processor time."""
    began = time.monotonic()
    cluster.start()
    cluster.wait_healthy(120)
    return {"up_s": time.monotonic() - began, "up_busy_s": sum(map(harness.cpu_seconds, cluster.pids().values()))}


def rest(cluster, seconds):
    """What nodes and broker cost that have nothing to do."""
    coordinator, pids = cluster.wait_healthy(120)["coordinator"], cluster.pids()
    time.sleep(SETTLE)
    brokers = [process.pid for process in cluster.brokers.values()]
    mark, began = cluster.feed.mark(), time.monotonic()
    ran = {node: harness.cpu_seconds(pid) for node, pid in pids.items()}
    broker = sum(map(harness.cpu_seconds, brokers))
    woken = {node: switches(pid) for node, pid in pids.items()}
    time.sleep(seconds)  # what is measured is that nothing happens
    passed = time.monotonic() - began
    ran = {node: (harness.cpu_seconds(pid) - ran[node]) / passed for node, pid in pids.items()}
    broker = (sum(map(harness.cpu_seconds, brokers)) - broker) / passed
    woken = {node: (switches(pid) - woken[node]) / passed for node, pid in pids.items()}
    beats = {node: count / passed for node, count in heartbeats(cluster, mark).items()}
    sent = {node: beats[node] * (len(pids) - 1 + LISTENERS) for node in pids}
    received = {node: sum(beats.values()) - beats[node] for node in pids}
    return {"idle_percent": 100 * statistics.mean(ran.values()), "coordinator_percent": 100 * ran[coordinator],
            "broker_percent": 100 * broker, "wakings": statistics.mean(woken.values()),
            "messages": statistics.mean(sent[node] + received[node] for node in pids)}


def measure(directory, nodes, seconds):
    cluster = Quiet(directory, nodes)
    try:
        return {"nodes": nodes} | start(cluster) | rest(cluster, seconds)
    finally:
        cluster.close()


def prices(rows):
    """W and M in seconds, by least squares over the rows; neither is negative."""
    ww = sum(row["wakings"] ** 2 for row in rows)
    wm = sum(row["wakings"] * row["messages"] for row in rows)
    mm = sum(row["messages"] ** 2 for row in rows)
    wy = sum(row["wakings"] * row["idle_percent"] / 100 for row in rows)
    my = sum(row["messages"] * row["idle_percent"] / 100 for row in rows)
    det = ww * mm - wm * wm
    if len(rows) < 2 or abs(det) < NOTHING:
        return wy / ww, 0
    waking, message = (wy * mm - my * wm) / det, (my * ww - wy * wm) / det
    if waking < 0:
        return 0, my / mm
    return (wy / ww, 0) if message < 0 else (waking, message)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, nargs="+", default=[3, 6, 12, 25])
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--dir", default=".", help="a directory on the disk that is measured")
    figures.add_option(parser)
    options = parser.parse_args()
    top = pathlib.Path(tempfile.mkdtemp(prefix="idle.", dir=options.dir)).resolve()
    rows = []
    print(f"{os.cpu_count()} processors\n{'nodes':>6}{'up s':>8}{'busy s':>8}{'idle %':>8}{'coord. %':>10}{'broker %':>10}{'wakings/s':>11}{'messages/s':>12}")
    try:
        for nodes in options.nodes:
            row = measure(top / str(nodes), nodes, options.seconds)
            rows.append(row)
            print(f"{nodes:>6}{row['up_s']:>8.2f}{row['up_busy_s']:>8.2f}{row['idle_percent']:>8.2f}{row['coordinator_percent']:>10.2f}"
                  f"{row['broker_percent']:>10.2f}"
                  f"{row['wakings']:>11.0f}{row['messages']:>12.0f}", flush=True)
    finally:
        shutil.rmtree(top, ignore_errors=True)
    waking, message = prices(rows)
    print(f"\nW = {1e6 * waking:.0f} us a waking, M = {1e6 * message:.0f} us a message")
    for row in rows:
        row["formula_percent"] = 100 * (waking * row["wakings"] + message * row["messages"])
        print(f"{row['nodes']:>6} nodes: {row['formula_percent']:.2f} % by the formula, {row['idle_percent']:.2f} % measured")
    figures.put(options.json, "idle", {"rows": rows, "waking_us": 1e6 * waking, "message_us": 1e6 * message,
                                       "options": figures.options_of(options)})


if __name__ == "__main__":
    main()

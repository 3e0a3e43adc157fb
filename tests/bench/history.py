"""make bench-history: does anything get slower as jobs pile up? One cluster takes in tiny jobs, and at marks on
the way (--marks 10000 100000) this measures jobs/s over the last --rounds times --window-jobs jobs, the nodes' processor time for one, what `job list` (a page) and
`status` take a client, what memory and disk a node takes, a restart of a node that was killed, and the install of one whose disk was wiped. Restarts
are made when the node has between 4000 and 5000 entries after its last checkpoint, whatever the mark.

What is to be read is the ratio of the last mark to the first. Nothing here fails because something is slow.
"""
import argparse
import datetime
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import msgpack

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import bench  # noqa: E402
import harness  # noqa: E402  (bench knows where it lies)

PROBES = 300  # of each request
PATIENCE = 120
DISTANCE, SPREAD = 4000, 1000  # entries after the checkpoint at a restart: at most 8192 there are
STEP_JOBS = 200                # some 420 entries: less than SPREAD
HEARTBEAT = "10ms"             # of a node that starts: else its news are up to 50 ms old


def probe_ms(cluster, body):
    """The median time of one request, as a lone client sees it."""
    dealer = harness.dealer_to(cluster.broker)
    times = []
    while len(times) < PROBES:
        began = time.monotonic()
        dealer.send(msgpack.packb(body | {"request": len(times)}))
        assert dealer.poll(30000), f"no answer to {body}"
        answer = msgpack.unpackb(dealer.recv_multipart()[0])
        if answer["type"] != "error":
            times.append(1000 * (time.monotonic() - began))
        elif answer["code"] in ("busy", "unavailable", "not_coordinator"):
            time.sleep(bench.AGAIN)  # a coordinator is being replaced
        else:
            raise AssertionError(f"{body} is refused: {answer}")
    dealer.close(0)
    return statistics.median(times)


def cpu_ms(process):
    """Processor time of a process so far, which other work on the machine leaves alone."""
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return 1000 * (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def checkpoint_of(cluster, node):
    """The entry up to which its last checkpoint goes, by its log; 0: none was written."""
    found = re.findall(r"wrote a checkpoint at entry (\d+)", (cluster.dir / f"node{node}.log").read_text(errors="replace"))
    return int(found[-1]) if found else 0


def drive(cluster, node, options):
    """Jobs until the node has nearly DISTANCE entries after its checkpoint: a start reads them, so restarts are compared at like distances."""
    submitter = argparse.Namespace(jobs=STEP_JOBS, clients=options.clients, window=options.window)
    while True:
        applied = cluster.wait_healthy(PATIENCE)["nodes"][node - 1]["applied"]
        if DISTANCE <= applied - checkpoint_of(cluster, node) < DISTANCE + SPREAD:
            return
        bench.jobs_per_second(cluster, submitter)


def started_ms(cluster, node, began):
    """From a wall clock's time until the node's log says that it has read its disk and listens."""
    lines = (cluster.dir / f"node{node}.log").read_text(errors="replace").splitlines()
    when = [line for line in lines if " started: " in line][-1].split()[0]
    return 1000 * (datetime.datetime.fromisoformat(when.replace("Z", "+00:00")).timestamp() - began)


def inspect(cluster, node):
    out = subprocess.run([harness.BIN / "conclave-node", "inspect", cluster.dir / f"node{node}"],
                         capture_output=True, text=True, check=True).stdout
    return json.loads(out)


def back_ms(cluster, wiped, options):
    """From the start of a node that was killed until it has applied what the coordinator had, and votes; that until
    it listens; its processor time until it was back; and how many entries it had after its checkpoint. Medians."""
    rows = []
    for _ in range(options.ends):
        coordinator = cluster.wait_healthy(PATIENCE)["coordinator"]
        node = coordinator % cluster.n_nodes + 1
        if not wiped:
            drive(cluster, node, options)
        status = cluster.wait_healthy(PATIENCE)
        target = status["nodes"][status["coordinator"] - 1]["applied"]
        cluster.kill(cluster.nodes[node])
        entries = 0
        if wiped:
            shutil.rmtree(cluster.dir / f"node{node}")
        else:
            disk = inspect(cluster, node)
            entries = disk["last_index"] - disk["checkpoint_index"]
        since = cluster.feed.mark()
        began, clock = time.monotonic(), time.time()
        cluster.start_node(node, heartbeat=HEARTBEAT)
        told = cluster.feed.wait(lambda m, node=node, target=target: m["node"] == node and
                                 m.get("applied", 0) >= target and m.get("voter"),
                                 PATIENCE, f"node {node} is back", since)
        rows.append((1000 * (told["heard"] - began), started_ms(cluster, node, clock), cpu_ms(cluster.nodes[node]),
                     entries))
    cluster.wait_healthy(PATIENCE)
    return [statistics.median(column) for column in zip(*rows)]


def measure(cluster, options, done):
    """Jobs/s until so many more are done, the median of some rounds, with the processor time of all nodes for one of
    them; then the probes; then what the nodes take."""
    bench_options = argparse.Namespace(jobs=options.window_jobs, clients=options.clients,
                                       window=options.window)
    rates, works = [], []
    for _ in range(options.rounds):
        began = sum(map(cpu_ms, cluster.nodes.values()))
        rates.append(bench.jobs_per_second(cluster, bench_options))
        works.append(sum(map(cpu_ms, cluster.nodes.values())) - began)
    row = {"done": done, "jobs/s": statistics.median(rates),
           "cpu us a job": 1000 * statistics.median(works) / options.window_jobs,
           "list ms": probe_ms(cluster, {"type": "job_list", "after": 0}),
           "status ms": probe_ms(cluster, {"type": "status_get"}),
           "memory MiB": max(map(harness.memory, cluster.nodes.values())) / 2**20,
           "disk MiB": max(disk_mib(cluster, node) for node in cluster.nodes)}
    row["restart ms"], row["listens ms"], row["restart cpu ms"], row["entries read"] = back_ms(cluster, False, options)
    row["install ms"], _, row["install cpu ms"], _ = back_ms(cluster, True, options)
    print("  " + "   ".join(f"{name} {value:,.1f}" for name, value in row.items()), flush=True)
    return row


def checkpoints(cluster, node):
    """The last line about a checkpoint in a node's log."""
    lines = [line for line in (cluster.dir / f"node{node}.log").read_text(errors="replace").splitlines()
             if "wrote a checkpoint" in line]
    return lines[-1].split("wrote ")[-1] if lines else "none was written"


def disk_mib(cluster, node):
    out = subprocess.run(["du", "-sk", cluster.dir / f"node{node}"], capture_output=True, text=True, check=True)
    return int(out.stdout.split()[0]) / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--marks", type=int, nargs="+", default=[20000, 100000])
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--window", type=int, default=64, help="jobs on their way, each client")
    parser.add_argument("--window-jobs", type=int, default=4000, help="over so many jobs/s is measured, each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ends", type=int, default=5, help="restarts, and installs, at each mark")
    parser.add_argument("--durability", default="fsync")
    parser.add_argument("--dir", default=".", help="a directory on the disk that is measured")
    options = parser.parse_args()
    top = pathlib.Path(tempfile.mkdtemp(prefix="history.", dir=options.dir)).resolve()
    cluster = harness.Cluster(top / "cluster", nodes=options.nodes, durability=options.durability,
                              log_level="info")
    rows, done = [], 0
    print(f"{options.nodes} nodes, a broker and {options.clients} clients on {os.cpu_count()} processors; "
          f"load {os.getloadavg()[0]:.1f} before")
    try:
        cluster.start().wait_healthy()
        cluster.submit(1000)  # connections and caches are warm
        for mark in options.marks:
            measured = options.rounds * options.window_jobs
            more = max(0, mark - measured - done)
            if more:
                bench.jobs_per_second(cluster, argparse.Namespace(jobs=more, clients=options.clients,
                                                                  window=options.window))
            done += more + measured
            rows.append(measure(cluster, options, done))
        print(f"  the last checkpoint of node 1: {checkpoints(cluster, 1)}")
    finally:
        cluster.close()
        shutil.rmtree(top, ignore_errors=True)
    if len(rows) > 1:
        first, last = rows[0], rows[-1]
        print(f"\n{'':<16}{first['done']:>12,}{last['done']:>12,}{'ratio':>10}")
        for name in list(first)[1:]:
            ratio = f"{last[name] / first[name]:.2f}" if first[name] else "-"
            print(f"{name:<16}{first[name]:>12,.1f}{last[name]:>12,.1f}{ratio:>10}")


if __name__ == "__main__":
    main()

"""make bench-history: does anything get slower as jobs pile up? One cluster takes in tiny jobs, and at marks on
the way (--marks 10000 100000) this measures jobs/s over the last --window-jobs jobs, the nodes' processor time for one, what `job list` (a page) and
`status` take a client, a restart of a node that was killed, and the install of one whose disk was wiped.

What is to be read is the ratio of the last mark to the first. Nothing here fails because something is slow.
"""
import argparse
import os
import pathlib
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
ENDS = 3      # restarts, and installs
PATIENCE = 120


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


def back_ms(cluster, wiped):
    """From the start of a node that was killed until it has applied what the coordinator had, and votes; and its
    processor time until then."""
    times, work = [], []
    for _ in range(ENDS):
        status = cluster.wait_healthy(PATIENCE)
        coordinator = status["coordinator"]
        target = status["nodes"][coordinator - 1]["applied"]
        node = coordinator % cluster.n_nodes + 1
        cluster.kill(cluster.nodes[node])
        if wiped:
            shutil.rmtree(cluster.dir / f"node{node}")
        since = cluster.feed.mark()
        began = time.monotonic()
        cluster.start_node(node)
        told = cluster.feed.wait(lambda m, node=node, target=target: m["node"] == node and
                                 m.get("applied", 0) >= target and m.get("voter"),
                                 PATIENCE, f"node {node} is back", since)
        times.append(1000 * (told["heard"] - began))
        work.append(cpu_ms(cluster.nodes[node]))
    cluster.wait_healthy(PATIENCE)
    return statistics.median(times), statistics.median(work)


def measure(cluster, options, done):
    """Jobs/s until so many more are done, with the processor time of all nodes for one of them; then the probes."""
    bench_options = argparse.Namespace(jobs=options.window_jobs, clients=options.clients,
                                       window=options.window)
    began = sum(map(cpu_ms, cluster.nodes.values()))
    rate = bench.jobs_per_second(cluster, bench_options)
    work = sum(map(cpu_ms, cluster.nodes.values())) - began
    row = {"done": done, "jobs/s": rate, "cpu us a job": 1000 * work / options.window_jobs,
           "list ms": probe_ms(cluster, {"type": "job_list", "after": 0}),
           "status ms": probe_ms(cluster, {"type": "status_get"})}
    row["restart ms"], row["restart cpu ms"] = back_ms(cluster, False)
    row["install ms"], row["install cpu ms"] = back_ms(cluster, True)
    print("  " + "   ".join(f"{name} {value:,.1f}" for name, value in row.items()), flush=True)
    return row


def checkpoints(cluster, node):
    """The last line about a checkpoint in a node's log."""
    lines = [line for line in (cluster.dir / f"node{node}.log").read_text(errors="replace").splitlines()
             if "wrote a checkpoint" in line]
    return lines[-1].split("wrote ")[-1] if lines else "none was written"


def disk_mib(cluster):
    out = subprocess.run(["du", "-sm", cluster.dir / "node1"], capture_output=True, text=True, check=True)
    return int(out.stdout.split()[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--marks", type=int, nargs="+", default=[20000, 100000])
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--window", type=int, default=64, help="jobs on their way, each client")
    parser.add_argument("--window-jobs", type=int, default=8000, help="over so many jobs/s is measured")
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
            more = max(0, mark - options.window_jobs - done)
            if more:
                bench.jobs_per_second(cluster, argparse.Namespace(jobs=more, clients=options.clients,
                                                                  window=options.window))
            done += more + options.window_jobs
            rows.append(measure(cluster, options, done))
        print(f"  the last checkpoint of node 1: {checkpoints(cluster, 1)}; its directory: {disk_mib(cluster)} MiB")
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

"""make bench-map: `conclave map` of 10,000 commands beside xargs and GNU parallel, each from its start to its end, in turn; and
1,000,000 tasks that do nothing, with the coordinator's memory. Six nodes with keys, as users run them; one of them coordinates.
Nothing here fails because something is slow; what is not as it should be when it ends does.
"""
import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time

from bench import harness

MIB = 1 << 20


def xargs(n, command):
    subprocess.run(["xargs", "-P2", "-n1", *command], input="\n".join(map(str, range(n))), text=True, stdout=subprocess.DEVNULL,
                   check=True)


def parallel(n, command):
    subprocess.run(["parallel", "--will-cite", "-j2", *command], input="\n".join(map(str, range(n))), text=True,
                   stdout=subprocess.DEVNULL, check=True)


def ours(cluster, n, command):
    ended = cluster.conclave("map", "--array", f"1-{n}", "--", *command, timeout=600)
    assert ended.returncode == 0 and f"{n} of {n} done" in ended.stderr, ended.stderr


def rate(run, n, *arguments):
    start = time.monotonic()
    run(*arguments)
    return n / (time.monotonic() - start)


def commands(cluster, options):
    """Tasks a second of each, in turn; GNU parallel with a tenth of them: it is the slowest by far."""
    found = {"conclave map": [], "xargs -P2": [], "parallel -j2": []}
    has_parallel = shutil.which("parallel") is not None
    for _ in range(options.rounds):
        found["conclave map"].append(rate(ours, options.commands, cluster, options.commands, options.command))
        found["xargs -P2"].append(rate(xargs, options.commands, options.commands, options.command))
        if has_parallel:
            few = max(options.commands // 10, 1)
            found["parallel -j2"].append(rate(parallel, few, few, options.command))
        print("  " + ", ".join(f"{name} {rates[-1]:,.0f}/s" for name, rates in found.items() if rates), flush=True)
    return {name: statistics.median(rates) for name, rates in found.items() if rates}


def empty_tasks(cluster, options):
    """Tasks a second from submit to end, and the most memory that the coordinator had meanwhile, in MiB."""
    found, most = [], 0
    for _ in range(options.rounds):
        coordinator = cluster.nodes[cluster.wait_healthy()["coordinator"]]
        harness.forget_peak(coordinator)
        start = time.monotonic()
        cluster.ok("submit", "empty", options.tasks, timeout=600)
        found.append(options.tasks / (time.monotonic() - start))
        most = max(most, harness.memory(coordinator, "VmHWM"))
        print(f"  {options.tasks} empty tasks: {found[-1]:,.0f}/s, coordinator {most / MIB:.0f} MiB", flush=True)
    return statistics.median(found), most / MIB


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--nodes", type=int, default=6)
    parser.add_argument("--commands", type=int, default=10000)
    parser.add_argument("--tasks", type=int, default=1000000, help="that do nothing")
    parser.add_argument("--dir", default=".", help="a directory on the disk that is measured")
    parser.add_argument("command", nargs="*", default=["/bin/true"])
    options = parser.parse_args()
    top = pathlib.Path(tempfile.mkdtemp(prefix="bench.", dir=options.dir)).resolve()
    cluster = harness.Cluster(top / "map", nodes=options.nodes, log_level="warn")
    try:
        cluster.start().wait_healthy()
        print(f"map: {options.nodes} nodes on {os.cpu_count()} processors; {options.rounds} rounds, in turn")
        ours(cluster, 100, options.command)
        rates = commands(cluster, options)
        tasks, memory = empty_tasks(cluster, options)
        cluster.check()
    finally:
        cluster.close()
        shutil.rmtree(top, ignore_errors=True)
    print(f"\nmedians of {options.rounds}:")
    for name, value in rates.items():
        of_map = f"{rates['conclave map'] / value:8.2f} of it by map" if name != "conclave map" else ""
        print(f"{name:<16}{value:>10,.0f} commands/s {of_map}")
    print(f"{'empty tasks':<16}{tasks:>10,.0f} tasks/s, coordinator at most {memory:.0f} MiB")


if __name__ == "__main__":
    main()

"""make bench: what snapshots cost. Transfers/s of a cluster under its highest load without snapshots, with one
a second, with one after another, and with one a second that stops the world: the load pauses until nothing is
on its way, then all accounts are read. And how long each takes, idle and loaded.

One cluster, the variants in turn. What is to be read is the ratios. Nothing here fails because something is slow.
"""
import argparse
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cluster"))
import figures  # noqa: E402
import harness  # noqa: E402  (it lies beside the cluster tests)
from snapshots import Asker, Snapshot  # noqa: E402

VARIANTS = ("none", "one a second", "one after another", "stop the world")
IDLE = 200
FUND = 1000000


class Taken:
    """What snapshots of one kind took: milliseconds, bytes, messages in channels."""

    def __init__(self):
        self.ms, self.bytes, self.messages = [], [], []

    def take(self, asker, node):
        row = asker.taken(asker.start_snapshot(node))
        assert row["complete"], row
        self.ms.append(row["took_us"] / 1000)
        self.bytes.append(row["bytes"])
        return row

    def look(self, asker, row):
        snapshot = Snapshot(asker.fetch(row))
        self.messages.append(sum(map(len, snapshot.channels.values())))

    def line(self, what):
        times = sorted(self.ms)
        recorded = f"{statistics.mean(self.messages):>10,.0f}" if self.messages else f"{'':>10}"
        size = f"{statistics.mean(self.bytes):>12,.0f}" if self.bytes else f"{'':>12}"
        print(f"{what:<28}{len(times):>8}{times[len(times) // 2]:>10.1f}"
              f"{times[len(times) * 99 // 100]:>10.1f}{size}{recorded}".rstrip())


def read_accounts(asker, nodes):
    """The money in all accounts, and what is on its way."""
    total = sent = 0
    for node in range(1, nodes + 1):
        after, more = "", True
        while more:
            page, _ = asker.ask(type="bank_list", node=node, after=after)
            more = page["more"] and page["accounts"]
            if more:
                after = page["accounts"][-1]["account"]
        total, sent = total + page.get("total", 0), sent + page.get("sent", 0)
    return total, sent


def stop_the_world(asker, load, nodes, money):
    """Milliseconds for which nobody could transfer."""
    began = time.monotonic()
    load.send_signal(signal.SIGSTOP)
    try:
        while read_accounts(asker, nodes) != (money, 0):
            pass
    finally:
        load.send_signal(signal.SIGCONT)
    return 1000 * (time.monotonic() - began)


def ends_before(process, moment):
    """Waits until the process ends, true, or the moment has come."""
    try:
        process.wait(max(0, moment - time.monotonic()))
    except subprocess.TimeoutExpired:
        return False
    return True


def disturb(variant, asker, load, options, taken, money):
    """Takes snapshots as the variant says while the load runs."""
    began, number = time.monotonic(), 0
    due, end = began + 0.5, began + options.seconds - 1  # the load must not end meanwhile
    while variant != "none" and time.monotonic() < end:
        if variant != "one after another":
            assert not ends_before(load, min(due, end)), "the load ended early"
            if due > end:
                break
        number += 1
        due += 1
        if variant == "stop the world":
            taken.ms.append(stop_the_world(asker, load, options.nodes, money))
            continue
        row = taken.take(asker, 1 + number % options.nodes)
        if number % 10 == 1:
            taken.look(asker, row)


def measure(variant, cluster, options, taken, deposited):
    """Transfers a second of one run."""
    accounts = ["--accounts", options.accounts, "--fund", FUND, "--window", options.window]
    load = cluster.start_conclave("bank", "load", "--rate", 0, "--seconds", options.seconds, "--json",
                                  *accounts)
    money = deposited + options.accounts * FUND
    with Asker(cluster) as asker:
        harness.wait_for(lambda: sum(read_accounts(asker, options.nodes)) >= money * 0.99,
                         what="the accounts are funded")
        disturb(variant, asker, load, options, taken, money)
    out, errors = load.communicate()
    assert load.returncode == 0, errors
    rate = json.loads(out)["transfers_per_second"]
    print(f"  {variant:<20}{rate:>10,} transfers/s", flush=True)
    return rate


def run(cluster, options):
    rates, taken = {v: [] for v in VARIANTS}, {v: Taken() for v in ("idle",) + VARIANTS}
    cluster.start().wait_healthy()
    cluster.ok("bank", "load", "--seconds", 1, "--accounts", options.accounts, "--fund", FUND)
    deposited = options.accounts * FUND
    with Asker(cluster) as asker:
        for number in range(IDLE):
            taken["idle"].take(asker, 1 + number % options.nodes)
    for turn in range(options.rounds):
        for variant in VARIANTS[turn % 4:] + VARIANTS[:turn % 4]:
            rates[variant].append(measure(variant, cluster, options, taken[variant], deposited))
            deposited += options.accounts * FUND
    return rates, taken


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--nodes", type=int, default=6)
    parser.add_argument("--seconds", type=int, default=5, help="of each run")
    parser.add_argument("--accounts", type=int, default=100)
    parser.add_argument("--window", type=int, default=256)
    parser.add_argument("--dir", default=".", help="a directory on the disk that is measured")
    figures.add_option(parser)
    options = parser.parse_args()
    top = pathlib.Path(tempfile.mkdtemp(prefix="bench.", dir=options.dir)).resolve()
    print(f"snapshots: {options.nodes} nodes, a broker and bank load with {options.window} on their way, on "
          f"{os.cpu_count()} processors; {options.rounds} rounds of {options.seconds} s, variants in turn")
    cluster = harness.Cluster(top / "cluster", nodes=options.nodes, log_level="warn")
    try:
        rates, taken = run(cluster, options)
    finally:
        cluster.close()
        shutil.rmtree(top, ignore_errors=True)
    figures.put(options.json, "snapshots", {"options": figures.options_of(options), "transfers_per_second": rates,
                                            "snapshot_ms": {what: taken[what].ms for what in taken}})
    print(f"\n{'transfers/s, snapshots':<28}{'median':>10}{'least':>10}{'most':>10}{'to none':>10}")
    base = statistics.median(rates["none"])
    for variant in VARIANTS:
        middle = statistics.median(rates[variant])
        print(f"{variant:<28}{middle:>10,.0f}{min(rates[variant]):>10,}{max(rates[variant]):>10,}"
              f"{middle / base:>10.2f}")
    print(f"\n{'a snapshot takes':<28}{'count':>8}{'p50 ms':>10}{'p99 ms':>10}{'bytes':>12}{'recorded':>10}")
    for what in ("idle",) + VARIANTS[1:]:
        if taken[what].ms:
            taken[what].line(what)
    print("\nbytes: of the whole snapshot; recorded: messages in channels; stop the world: for so long "
          "nobody transfers")


if __name__ == "__main__":
    main()

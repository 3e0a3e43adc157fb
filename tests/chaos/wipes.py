#!/usr/bin/python3
"""Wipes of every minority of the voters, in every order, of a real cluster under load; then a verdict.

  wipes.py [--voters 3,5] [--sets N] [--seed N] [--results FILE]

3 voters: each one. 5 voters: each one, and each ordered pair, the second killed while the first comes back with an empty
disk. All in one running cluster for each number of voters, with clients that submit jobs with keys, set progress, take
snaps and move money. After each wipe the cluster is whole again within 30 s. Of jobs, results, keys, progress and snaps
nothing may be lost; of money only what the wiped disks had. Exit status 0 when all of it holds.
"""
import argparse
import itertools
import pathlib
import random
import shutil
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cluster"))

import harness                       # noqa: E402
from acknowledged import (APPLIED_SECONDS, LARGE, SMALL, Verdict, check_jobs, check_money,  # noqa: E402
                          check_snaps, level)
from clients import Conversation, Setter, Snapper, Submitter, Teller  # noqa: E402
from harness import wait_for         # noqa: E402
from nemesis import Nemesis          # noqa: E402

HEAL_SECONDS = 30
FEED_TAIL = 200  # messages: those of the last seconds
UNDER_WAY = 5  # jobs that are accepted between two wipes: a wipe without load shows little


def minorities(voters):
    """Every set that may be wiped while the others serve, in every order."""
    return [order for n in range(1, (voters - 1) // 2 + 1)
            for order in itertools.permutations(range(1, voters + 1), n)]


class Load:
    """The clients, and what was acknowledged to them."""

    def __init__(self, cluster, generator):
        self.submitters = [Submitter(cluster, generator.random(), list(SMALL) + list(LARGE)),
                           Submitter(cluster, generator.random(), list(SMALL))]
        self.teller, self.snapper = Teller(cluster, generator.random()), Snapper(cluster, generator.random())
        self.setter = Setter(cluster, generator.random())
        self.others = [self.teller, self.snapper, self.setter]
        self.clients = [*self.submitters, *self.others]

    def accepted(self):
        return sum(len(it.accepted) for it in self.submitters)

    def wait_under_way(self):
        before, settled = self.accepted(), [client.settled for client in self.others]
        wait_for(lambda: self.accepted() >= before + UNDER_WAY and
                 all(client.settled > then for client, then in zip(self.others, settled)), HEAL_SECONDS,
                 "jobs are accepted, money moves, progress is set and snapped")


def wait_admitted(cluster, node):
    """By its own heartbeats in the life that began with an empty disk."""
    pid = cluster.nodes[node].pid
    cluster.feed.wait(lambda m: m.get("pid") == pid and m.get("voter"), HEAL_SECONDS, f"node {node} is admitted",
                      max(0, cluster.feed.mark() - FEED_TAIL))


def wipe(cluster, order, nemesis, load):
    """The next of the order dies while the one before starts with an empty disk. Returns the seconds until all is whole."""
    with load.teller.gate:
        had = nemesis.balances()
        for node in order:
            nemesis.empty(node, had[node])
            cluster.start_node(node)
    began = time.monotonic()
    for node in order:
        wait_admitted(cluster, node)
    nemesis.heal(HEAL_SECONDS)
    took = time.monotonic() - began
    with load.teller.gate:
        for node in order:
            load.teller.deposit(node)
    return took


def check_progress(cluster, setter, verdict):
    talk = Conversation(cluster)
    for index, state in setter.acknowledged.items():
        answer = talk.ask(type="progress_get", index=index)
        verdict.check(state <= answer.get("state", 0) < state + setter.STEP,
                      f"progress of node {index}: {answer.get('state')}, was set to {state}; jobs have added to it since")
    talk.close()


def check_all(cluster, load, nemesis, verdict):
    wait_for(lambda: level(cluster), APPLIED_SECONDS, "all nodes have applied the same", pause=0.1)
    for client in load.clients:
        verdict.check(not client.errors, f"{client.errors}")
    check_jobs(cluster, load.submitters, verdict)
    check_snaps(cluster, load.snapper, verdict)
    check_progress(cluster, load.setter, verdict)
    check_money(cluster, load.teller, nemesis, verdict)
    cluster.check()


def run(cluster, orders, seed, verdict, log):
    """Wipes each of the orders after the other; returns the longest time until all was whole again, and the load."""
    generator, longest = random.Random(seed), 0
    cluster.start()
    cluster.wait_healthy(20)
    load = Load(cluster, generator)
    nemesis = Nemesis(cluster, generator, load.teller, log)
    for node in range(1, cluster.n_nodes + 1):
        load.teller.deposit(node)
    for client in load.clients:
        client.start()
    try:
        for order in orders:
            load.wait_under_way()
            took = wipe(cluster, order, nemesis, load)
            longest = max(longest, took)
            log(f"nodes {', '.join(map(str, order))} wiped: whole after {took:.1f} s")
    finally:
        for client in load.clients:
            client.end()
    check_all(cluster, load, nemesis, verdict)
    return longest, load


def run_size(voters, arguments, verdict):
    began = time.monotonic()
    orders = minorities(voters)
    random.Random(arguments.seed).shuffle(orders)
    orders = orders[:arguments.sets or len(orders)]
    directory = pathlib.Path(tempfile.mkdtemp(prefix="conclave-wipes."))
    cluster = harness.Cluster(directory, nodes=voters, brokers=2, compact_entries=512)
    try:
        longest, load = run(cluster, orders, arguments.seed, verdict,
                            lambda text: print(f"  {time.monotonic() - began:6.1f}  {text}", flush=True))
        print(f"{voters} voters: {len(orders)} wipes in {time.monotonic() - began:.0f} s, whole again in at most "
              f"{longest:.1f} s; {load.accepted()} jobs, {load.setter.settled} states, {load.snapper.settled} snaps, "
              f"{load.teller.settled} transfers", flush=True)
    except AssertionError as error:
        verdict.check(False, str(error))
        print(cluster.logs(8))
    finally:
        cluster.close()
        shutil.rmtree(directory, ignore_errors=True)


def main():
    harness.end_by_exit()
    parser = argparse.ArgumentParser()
    parser.add_argument("--voters", default="3,5")
    parser.add_argument("--sets", type=int, help="only so many of each size, drawn by chance")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--results", help="the sum (passed failed) goes there")
    arguments = parser.parse_args()
    if arguments.seed is None:
        arguments.seed = random.SystemRandom().getrandbits(32)
    print(f"seed {arguments.seed}", flush=True)
    verdict = Verdict()
    for voters in map(int, arguments.voters.split(",")):
        run_size(voters, arguments, verdict)
    return verdict.end("wipes", arguments.results)


if __name__ == "__main__":
    sys.exit(main())

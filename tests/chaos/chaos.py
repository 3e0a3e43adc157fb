#!/usr/bin/python3
"""A real cluster under fire, from a seed, and a verdict on everything that its clients saw.

  chaos.py [--seconds 60] [--seed N] [--nodes 5] [--out DIR] [--results FILE]

Clients of every kind (workload.py) work all the time: first alone, so that the throughput without faults is known, then while the
nemesis does what it draws. When the trouble is over, all that was acknowledged is asked for once more. DIR has the history
(history.jsonl), the verdict (verdict.json) and the timeline (timeline.svg); check.py judges the history again at any time.
Exit status 0 when all holds.
"""
import argparse
import contextlib
import itertools
import json
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cluster"))

import check                             # noqa: E402
import harness                           # noqa: E402
import history as histories              # noqa: E402
import verdict                           # noqa: E402
from clients import Conversation         # noqa: E402
from harness import wait_for             # noqa: E402
from nemesis import Nemesis, balances, whole  # noqa: E402
from rig import Rig                      # noqa: E402
from samples import Sampler              # noqa: E402
from workload import (VALUE_NAMES, Jobs, Prober, Progress, Shared, Snapshots, Submitter, Teller,  # noqa: E402
                      Values)

NODES_DEFAULT = 5
SMALL, LARGE = range(0, 300), range(19000, 20000, 50)  # the text of a large one travels by reference
ALONE_SECONDS = 5            # of load before the first fault
WRITES_PER_S_MIN = 10        # before the first fault; a harness that hardly asks shows nothing
LEVEL_SECONDS = 30           # given for all to be level; how long it may take is for the verdict
PATIENCE = 30                # seconds for each question after the trouble
SNAPS_READ = 50              # of each client, in the end
MINORITIES_MOST = 6          # of those that are stopped in the end
SUM_JOBS = 10                # whose operations must be what the progress rises by
LOAD = ("submit", "job_get", "job_cancel", "job_result", "progress_set", "progress_get", "progress_snap", "progress_past",
        "kv_put", "kv_get", "kv_del", "bank_deposit", "bank_transfer", "snapshot_take", "snapshot_get")
OF_THE_FEED = ("node", "incarnation", "seq", "term", "role", "serving", "applied", "event")


class Watched(Nemesis):
    """The nemesis, with what it does in the history: `begin` just after it was done, `end` just after it was undone."""

    def __init__(self, cluster, generator, teller, log, recorder):
        super().__init__(cluster, generator, teller, log)
        self.recorder, self.begun, self.number, self.mixed = recorder, None, 0, False

    def strike(self):
        self.begun = None
        super().strike()

    def pause(self, most):
        """How long the trouble lasts: it has just begun."""
        self.begun = self.begun or time.monotonic_ns()
        super().pause(most)

    def at_once(self):
        self.mixed = True
        try:
            return super().at_once()
        finally:
            self.mixed = False

    def record(self, name, began, fired):
        """What met nothing was no fault. Of several at once nobody knows which one the coordinator fell to."""
        super().record(name, began, fired)
        if fired:
            self.number += 1
            self.recorder.write("fault", self.begun or int(began * 1e9), f=name, phase="begin", id=self.number,
                                coordinator="coordinator" in name and not self.mixed)
            self.recorder.write("fault", f=name, phase="end", id=self.number)

    @contextlib.contextmanager
    def losing(self, node, had):
        self.teller.closed.add(node)
        self.recorder.write("wipe", node=node, phase="begin", lost=had)
        yield
        self.recorder.write("wipe", node=node, phase="end")


def level(cluster, since):
    """When it was heard that every node, by its own heartbeats, has applied what all others have; false while that is not so, or
    while a job is open. What was heard before `since` (monotonic seconds) says nothing: each node must have told it since."""
    status = whole(cluster)
    if not status or status["jobs"]["queued"] or status["jobs"]["running"]:
        return False
    with cluster.feed.changed:
        heard = [m for m in cluster.feed.messages[-50 * cluster.n_nodes:] if "applied" in m and m["heard"] >= since]
    latest = {m["node"]: m["applied"] for m in heard}
    return len(latest) == cluster.n_nodes and len(set(latest.values())) == 1 and heard[-1]["heard"]


def record_feed(cluster, recorder):
    with cluster.feed.changed:
        messages = list(cluster.feed.messages)
    for message in messages:
        told = {name: message[name] for name in OF_THE_FEED if name in message}
        recorder.write("feed", int(message["heard"] * 1e9), **told)


# --- the questions after the trouble ---

def insist(question, *arguments):
    """Asks until there is an answer; each try is an operation of its own."""
    return wait_for(lambda: question(*arguments), PATIENCE, f"an answer to {arguments}")


class Final:
    """Asks for all that was acknowledged, in a cluster that is whole."""

    def __init__(self, cluster, recorder, shared):
        self.cluster, self.recorder, self.shared = cluster, recorder, shared
        self.jobs = Jobs(cluster, 0, recorder, "final-jobs")
        self.progress = Progress(cluster, 0, recorder, "final-progress", 0)
        self.values = Values(cluster, 0, recorder, "final-values")
        self.nodes = range(1, cluster.n_nodes + 1)

    def ask(self, snaps):
        talk = self.jobs.talk = self.progress.talk = self.values.talk = Conversation(self.cluster)
        for job in list(self.shared.all.values()):
            self.jobs.get(job, wait_ms=5000, patience=PATIENCE)
        for node in self.nodes:
            insist(self.progress.get, node)
            for snapshot in snaps:
                insist(self.progress.past, node, snapshot)
            for name in VALUE_NAMES:
                self.values.get(node, name, PATIENCE)
        self.recorder.write("run", balances=balances(self.cluster), progress_sum=self.sum())
        talk.close()

    def stop_minorities(self):
        """Any minority may stop, and submits go on: some of all sets, by chance, and whether a submit was answered."""
        self.jobs.talk = Conversation(self.cluster)
        sets = list(itertools.combinations(self.nodes, (self.cluster.n_nodes - 1) // 2))
        rows = [{"nodes": nodes, "answered": self.without(nodes)}
                for nodes in self.jobs.random.sample(sets, min(len(sets), MINORITIES_MOST))]
        self.recorder.write("run", minorities=rows)
        self.jobs.talk.close()

    def without(self, nodes):
        for node in nodes:
            self.cluster.nodes[node].send_signal(signal.SIGSTOP)
        try:
            key = self.jobs.key()
            row = self.jobs.submit(key, 30, PATIENCE)
            return bool(row and self.jobs.get({"key": key, "spec": "30", "job": row["job"]}, 5000, PATIENCE))
        finally:
            for node in nodes:
                self.cluster.nodes[node].send_signal(signal.SIGCONT)
            wait_for(lambda: whole(self.cluster), PATIENCE, f"whole after nodes {nodes} were stopped", pause=0.1)

    def total(self):
        return sum(insist(self.progress.get, node)["state"] for node in self.nodes)

    def sum(self):
        """What the progress rises by while jobs are computed and nothing else happens."""
        before, jobs = self.total(), []
        for n in range(100, 100 + SUM_JOBS):
            key = self.jobs.key()
            row = self.jobs.submit(key, n, PATIENCE)
            jobs.append({"key": key, "spec": str(n), "job": row["job"]} if row else None)
        rows = [job and self.jobs.get(job, wait_ms=5000, patience=PATIENCE) for job in jobs]
        after = self.total()
        if not all(row and row.get("state") == "done" for row in rows):
            return None
        return {"before": before, "after": after, "operations": sum(row["total"] for row in rows)}


# --- a run ---

def clients_for(cluster, generator, recorder, shared):
    """All clients, and of them the teller."""
    numbers = list(SMALL) + list(LARGE)
    teller = Teller(cluster, generator.random(), recorder, "teller")
    clients = [Submitter(cluster, generator.random(), recorder, f"submit-{i}", numbers, shared) for i in range(2)]
    clients += [Progress(cluster, generator.random(), recorder, f"progress-{i}", i) for i in (1, 2)]
    clients += [Values(cluster, generator.random(), recorder, f"values-{i}") for i in range(2)]
    clients += [Snapshots(cluster, generator.random(), recorder, "snapshots"),
                Prober(cluster, generator.random(), recorder, "probe", shared), teller]
    return clients, teller


def load(cluster, clients, nemesis, recorder, seconds):
    """The clients alone, then with trouble, until the time is over and every kind was there."""
    sampler = Sampler(cluster, recorder)
    for client in (*clients, sampler):
        client.start()
    recorder.mark("load")
    began = time.monotonic()
    try:
        time.sleep(ALONE_SECONDS)  # how long the load lasts; nothing is waited for
        while time.monotonic() < began + seconds or not nemesis.has_tried_all():
            nemesis.strike()
    finally:
        nemesis.end()
        for client in clients:
            client.over.set()
        for client in (*clients, sampler):
            client.end()
        recorder.mark("healed")
        healed = time.monotonic()
    heard = wait_for(lambda: level(cluster, healed), LEVEL_SECONDS, "all nodes have applied the same", pause=0.1)
    recorder.write("mark", int(heard * 1e9), f="level")


def run(cluster, arguments, recorder):
    generator, shared, began = random.Random(arguments.seed), Shared(), time.monotonic()
    cluster.start()
    cluster.wait_healthy(20)
    clients, teller = clients_for(cluster, generator, recorder, shared)
    nemesis = Watched(cluster, generator, teller,
                      lambda text: print(f"  {time.monotonic() - began:6.1f}  {text}", flush=True), recorder)
    recorder.write("run", seed=arguments.seed, nodes=arguments.nodes, build=build(), seconds=arguments.seconds, load=LOAD,
                   kinds=nemesis.kinds, skipped=nemesis.skipped, writes_per_s_min=WRITES_PER_S_MIN)
    for node in range(1, cluster.n_nodes + 1):
        teller.deposit(node)
    errors = []
    try:
        load(cluster, clients, nemesis, recorder, arguments.seconds)
        final = Final(cluster, recorder, shared)
        final.ask({number for client in clients if isinstance(client, Progress)
                   for _, number in client.taken[-SNAPS_READ:]})
        final.stop_minorities()
        cluster.check()
    except AssertionError as error:
        errors.append(("the run", str(error)))
        print(cluster.logs(8))
    errors += [(client.base, error) for client in clients for error in client.errors]
    recorder.write("run", errors=errors)
    record_feed(cluster, recorder)


def build():
    done = subprocess.run(["git", "-C", str(harness.ROOT), "describe", "--always", "--dirty"], capture_output=True,
                          text=True, check=False)
    return done.stdout.strip() or "?"


def main():
    harness.end_by_exit()
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--nodes", type=int, default=NODES_DEFAULT)
    parser.add_argument("--out", help="history, verdict and timeline go there")
    parser.add_argument("--results", help="the sum (passed failed) goes there")
    arguments = parser.parse_args()
    if arguments.seed is None:
        arguments.seed = random.SystemRandom().getrandbits(32)
    print(f"seed {arguments.seed}", flush=True)
    directory = pathlib.Path(tempfile.mkdtemp(prefix="conclave-chaos."))
    out = pathlib.Path(arguments.out) if arguments.out else directory
    out.mkdir(parents=True, exist_ok=True)
    recorder = histories.Recorder(out / "history.jsonl")
    cluster = Rig(directory / "cluster", nodes=arguments.nodes, brokers=2, seed=arguments.seed, compact_entries=512)
    try:
        run(cluster, arguments, recorder)
    finally:
        cluster.close()
        recorder.close()
    result = check.report(histories.load(out / "history.jsonl"), out / "verdict.json", out / "timeline.svg")
    if arguments.results:
        pathlib.Path(arguments.results).write_text("{passed} {failed}\n".format(**result["checks"]), encoding="utf-8")
    print(f"chaos: {json.dumps(result['checks'])}")
    holds = result["verdict"] == verdict.HOLDS
    if holds or arguments.out:
        shutil.rmtree(directory, ignore_errors=True)
    else:
        print(f"kept: {directory}")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/python3
"""Real trouble for a real cluster, from a seed: kill -9, SIGSTOP, losses of power, wiped disks, brokers that die, while
clients submit, move money and take snaps; then a verdict.

  trouble.py [--seconds 120] [--seed N] [--nodes 5] [--results FILE]

Nothing that was acknowledged may be missing or wrong, nothing may have happened twice, all nodes must apply the same,
and any minority may be stopped afterwards while submits go on. Exit status 0 when all of it holds, and every kind of
trouble was there.
"""
import argparse
import itertools
import json
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cluster"))

import harness                       # noqa: E402
from clients import Conversation, Digits, Snapper, Submitter, Teller  # noqa: E402
from harness import seconds, wait_for  # noqa: E402
from nemesis import Nemesis, whole   # noqa: E402
from rig import Rig                  # noqa: E402

NODES_DEFAULT = 5
SMALL, LARGE = range(0, 300), range(19000, 20000, 50)  # the text of a large one travels by reference
ACCEPTED_MIN = 1             # jobs a second; a harness that hardly asks shows nothing
MINORITIES_MAX = 6           # of those that are stopped at the end, drawn by chance
APPLIED_SECONDS = 30         # after the end of the trouble all nodes have applied the same


class Verdict:
    """What was looked at, and what was found wrong."""

    def __init__(self):
        self.checks, self.faults = 0, []

    def check(self, holds, text):
        self.checks += 1
        if not holds:
            self.faults.append(text)
            print(f"FAIL {text}", flush=True)

    def end(self, name, results):
        """Says the sums, into the file too if there is one; returns the exit status."""
        sums = self.checks - len(self.faults), len(self.faults)
        if results:
            pathlib.Path(results).write_text(f"{sums[0]} {sums[1]}\n")
        print(f"{name}: {sums[0]} passed, {sums[1]} failed")
        return 1 if self.faults else 0


def level(cluster):
    """The status when every node has applied the same and no job is open; else None."""
    status = whole(cluster)
    if not status or len({row["applied"] for row in status["nodes"]}) != 1:
        return None
    return status if not status["jobs"]["queued"] and not status["jobs"]["running"] else None


def check_jobs(cluster, submitters, verdict):
    digits, talk = Digits(), Conversation(cluster)
    for job, key, n in itertools.chain(*(s.accepted for s in submitters)):
        answer = talk.ask(type="submit", key=key, kind="factorial", spec=str(n))
        row = answer["jobs"][0] if answer["type"] == "job" else {}
        verdict.check(row.get("job") == job, f"job {job:x} ({n}!) was accepted; its key now gives {row.get('job') or answer}")
        verdict.check(row.get("state") == "done" and row.get("sha256") == digits.sha256(n),
                      f"job {job:x} ({n}!): {row.get('state')}, {row.get('reason', '')}, or wrong digits")
    talk.close()


def check_snaps(cluster, snapper, verdict):
    verdict.check(len(set(snapper.taken.values())) == len(snapper.taken), "two keys have the same snap")
    talk = Conversation(cluster)
    for key, snapshot in list(snapper.taken.items())[-100:]:
        answer = talk.ask(type="progress_snap", key=key)
        verdict.check(answer.get("snapshot") == snapshot, f"snap {snapshot}: its key now gives {answer}")
    talk.close()


def check_money(cluster, teller, nemesis, verdict):
    listed = wait_for(lambda: (it := cluster.json("bank", "list")) and not it["sent"] and it, 30, "all money has arrived")
    lost = sum(nemesis.lost.values())
    verdict.check(listed["total"] == teller.deposited - lost,
                  f"money: {listed['total']}, deposited {teller.deposited}, on wiped disks {lost}: "
                  f"{listed['total'] - teller.deposited + lost} out of nothing")


def check_minorities(cluster, generator, verdict):
    """Any minority may stop, and submits go on."""
    sets = list(itertools.combinations(range(1, cluster.n_nodes + 1), (cluster.n_nodes - 1) // 2))
    for nodes in generator.sample(sets, min(len(sets), MINORITIES_MAX)):
        for node in nodes:
            cluster.nodes[node].send_signal(signal.SIGSTOP)
        done = cluster.conclave("submit", "factorial", 30, "--timeout", "20s", timeout=40)
        verdict.check(done.returncode == 0, f"nodes {nodes} are stopped, and a submit fails: {done.stderr.strip()}")
        for node in nodes:
            cluster.nodes[node].send_signal(signal.SIGCONT)
        wait_for(lambda: whole(cluster), 30, f"whole after nodes {nodes} were stopped", pause=0.1)


def run(cluster, arguments, verdict):
    generator = random.Random(arguments.seed)
    began = time.monotonic()

    def log(text):
        print(f"  {time.monotonic() - began:6.1f}  {text}", flush=True)

    cluster.start()
    cluster.wait_healthy(20)
    numbers = list(SMALL) + list(LARGE)
    submitters = [Submitter(cluster, generator.random(), numbers), Submitter(cluster, generator.random(), list(LARGE))]
    teller, snapper = Teller(cluster, generator.random()), Snapper(cluster, generator.random())
    for node in range(1, cluster.n_nodes + 1):
        teller.deposit(node)
    clients = [*submitters, teller, snapper]
    for client in clients:
        client.start()
    nemesis = Nemesis(cluster, generator, teller, log)
    try:
        while time.monotonic() < began + arguments.seconds or not nemesis.has_tried_all():
            nemesis.pause(1.0)
            nemesis.strike()
    finally:
        nemesis.end()
        log("the trouble is over")
        for client in clients:
            client.end()
    lasted = time.monotonic() - began
    healed = time.monotonic()
    nemesis.heal(APPLIED_SECONDS)
    status = wait_for(lambda: level(cluster), APPLIED_SECONDS, "all nodes have applied the same", pause=0.1)
    log(f"all nodes have applied {status['nodes'][0]['applied']} entries, {time.monotonic() - healed:.1f} s later")
    for client in clients:
        verdict.check(not client.errors, f"{client.errors}")
    for name in nemesis.kinds:
        verdict.check(name in nemesis.fired, f"{name} never had an effect, of {nemesis.missed.get(name, 0)} tries")
    accepted = sum(len(s.accepted) for s in submitters)
    verdict.check(accepted >= ACCEPTED_MIN * lasted, f"only {accepted} jobs were accepted in {lasted:.0f} s")
    check_jobs(cluster, submitters, verdict)
    check_snaps(cluster, snapper, verdict)
    check_money(cluster, teller, nemesis, verdict)
    check_minorities(cluster, generator, verdict)
    cluster.check()
    print(f"\ntrouble of {lasted:.0f} s, seed {arguments.seed}, {cluster.n_nodes} nodes; term {status['term']}, "
          f"{status['elections']} elections, {status['restarts']} restarts")
    for name, count in sorted(nemesis.fired.items()):
        missed = nemesis.missed.get(name)
        print(f"{count:6}  {name}{f', and {missed} that met nothing' if missed else ''}")
    for name, why in nemesis.skipped.items():
        print(f"     -  {name}: {why}")
    print(f"{accepted:6}  jobs accepted, {teller.settled} transfers ({teller.refused} refused), {snapper.settled} snaps; "
          f"wiped disks had {sum(nemesis.lost.values())} of {teller.deposited}; "
          f"after a wipe whole again in at most {max(nemesis.healed, default=0):.1f} s")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--nodes", type=int, default=NODES_DEFAULT)
    parser.add_argument("--results", help="the sum (passed failed) goes there")
    parser.add_argument("--keep", action="store_true", help="leave the directory when something fails")
    arguments = parser.parse_args()
    if arguments.seed is None:
        arguments.seed = random.SystemRandom().getrandbits(32)
    print(f"seed {arguments.seed}", flush=True)
    directory = pathlib.Path(tempfile.mkdtemp(prefix="conclave-trouble."))
    verdict = Verdict()
    cluster = Rig(directory, nodes=arguments.nodes, brokers=2, seed=arguments.seed, compact_entries=512)
    try:
        run(cluster, arguments, verdict)
    except AssertionError as error:
        verdict.check(False, str(error))
        print(json.dumps(cluster.status(), indent=1))
        print(cluster.logs(8))
    finally:
        cluster.close()
        if not (verdict.faults and arguments.keep):
            shutil.rmtree(directory, ignore_errors=True)
        else:
            print(f"kept: {directory}")
    return verdict.end("trouble", arguments.results)


if __name__ == "__main__":
    sys.exit(main())

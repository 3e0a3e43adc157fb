"""What was acknowledged to clients, and whether it is so in the end: asked of a real cluster, one by one.

For runs whose clients are those of clients.py; chaos.py judges whole histories instead (check.py).
"""
import itertools
import pathlib

from clients import Conversation, Digits
from harness import wait_for
from nemesis import whole

SMALL, LARGE = range(0, 300), range(19000, 20000, 50)  # the text of a large one travels by reference
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

"""make bench-large: one large factorial again and again on one cluster, beside GMP in one process, in turn.

  large.py [--job 10000000] [--plan PLAN] [--runs 10] [--nodes 6] [--busy 0] [--kill] [--text] [--gmp PROGRAM] [--dir DIR]

Says of each run: when the value was known and how long GMP took for it, when the text was there, copies, elections,
suspicions, what operations were executed beyond the total, the longest own turn of an event loop, and what was written to all
disks. In the end: what the data directories hold, what is kept for good, and the memory of an idle node. With --busy so many
processes do nothing but take a processor. With --kill the worker that holds the most is killed in the midst of each run, and
started again afterwards. With --text GMP makes the text in each run, too. The digits of the first run are compared with GMP's, all others with the first.

Exit status 1 when digits are wrong; or, without --kill, when there was an election, a suspicion or a copy.
"""
import argparse
import contextlib
import hashlib
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid

from bench import harness

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "chaos"))

from clients import Conversation  # noqa: E402

IDLE_SECONDS = 60       # after them a node has given back what it does not need
CONVERTING = {"quotient", "rest", "piece", "join"}  # operations of a conversion in pieces
TRACED_MAX = 500        # operations of a job that are looked at one by one
LOOK_MS = 20            # a look at how far the job is waits so long for its end


def sha256_of(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def gmp(program, n, path=None):
    done = subprocess.run([program, str(n), *([path] if path else [])], check=True, capture_output=True, text=True)
    return [float(word) for word in done.stdout.split()]


def written(pids):
    """Bytes that these processes had written to disks so far."""
    return sum(int(re.search(r"^write_bytes: (\d+)", pathlib.Path(f"/proc/{pid}/io").read_text(), re.M)[1]) for pid in pids)


def on_disk(cluster):
    return sum(path.stat().st_blocks * 512 for node in cluster.nodes for path in (cluster.dir / f"node{node}").rglob("*")
               if path.is_file())


def is_known(talk, row):
    """Whether the value is: all is done but what belongs to the conversion."""
    if row["done"] == row["total"]:
        return True
    if row["done"] < row["total"] / 2 or row["total"] > TRACED_MAX:
        return False
    ops = talk.ask(type="job_trace", job=row["job"], after=0)["ops"]
    # A trace names the node of what is done: with a text in pieces this is seen one division late.
    return any(op.get("operator") in CONVERTING and op.get("node") for op in ops)


class Killer:
    """kill -9 of the worker that holds the most, once something is worth it: half of the operations are done."""

    def __init__(self, cluster, since, coordinator):
        self.cluster, self.since, self.coordinator, self.node, self.held = cluster, since, coordinator, None, 0

    def look(self, row):
        if self.node or row["done"] < row["total"] / 2:
            return
        most = self.cluster.feed.holds_most(self.since, self.coordinator)
        if most:
            self.node, self.held = most
            self.cluster.nodes[self.node].send_signal(signal.SIGKILL)
            self.cluster.nodes[self.node].wait()

    def mend(self):
        if self.node:
            self.cluster.start_node(self.node)
            self.cluster.wait_healthy(30)


def run(cluster, arguments):
    """One job from its submit to its text."""
    since, first = cluster.feed.mark(), cluster.wait_healthy(30)
    pids = [process.pid for process in cluster.nodes.values()]
    before, began, known = written(pids), time.monotonic(), None
    # Not by starting commands: fifty a second would take half a processor.
    talk = Conversation(cluster)
    job = talk.ask(type="submit", key=str(uuid.uuid4()), kind="factorial", spec=str(arguments.job),
                   **({"plan": arguments.plan} if arguments.plan else {}))["jobs"][0]["job"]
    killer = Killer(cluster, since, first["coordinator"]) if arguments.kill else None
    while True:
        row = talk.ask(type="job_get", job=job, wait_ms=LOOK_MS)["jobs"][0]
        if killer:
            killer.look(row)
        if not known and is_known(talk, row):
            known = time.monotonic() - began
        if row["state"] not in ("queued", "running"):
            break
    seconds = time.monotonic() - began
    talk.close()
    cluster.wait_served(20)
    status = cluster.status()
    heard = cluster.feed.trouble(since)
    worst = max(status["nodes"], key=lambda line: line["longest_turn_own_us"] or 0)
    seen = {"state": row["state"], "known": known, "seconds": seconds, "sha256": (row.get("sha256") or b"").hex(),
            "again": row["executed"] - row["total"], "total": row["total"],
            "copied": status["copied"] - first["copied"], "elections": status["term"] - first["term"], "heard": heard,
            "turn": (worst["longest_turn_own_us"] / 1000, worst["longest_turn_own_in"]),
            "written": written(pids) - before if not killer else None, "killer": killer}
    if killer:
        killer.mend()
    return seen


@contextlib.contextmanager
def busy(n):
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(n)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def median(ratios):
    return f"{sorted(ratios)[len(ratios) // 2]:.2f} of GMP's time (median; {min(ratios):.2f} to {max(ratios):.2f})"


def measure(cluster, arguments, digits, directory):
    failed, ratios, texts, first = 0, [], [], None
    for number in range(1, arguments.runs + 1):
        took = gmp(arguments.gmp, arguments.job, arguments.text and directory / "digits")
        reference = took[0]
        seen = run(cluster, arguments)
        first = first or seen
        quiet = arguments.kill or not (seen["copied"] or seen["elections"] or seen["heard"])
        good = seen["state"] == "done" and seen["sha256"] == first["sha256"] and quiet
        failed += not good
        ratios.append(seen["known"] / reference)
        texts += [seen["seconds"] / sum(took)] if arguments.text else []
        killed = seen["killer"]
        print(f"run {number}: {'ok' if good else 'FAIL'}, value {seen['known']:.2f} s, {ratios[-1]:.2f} of GMP's {reference:.2f} s, "
              f"text {seen['seconds']:.2f} s, " + (f"{texts[-1]:.2f} of GMP's {sum(took):.2f} s, " if texts else "") +
              f"{seen['copied']} copied, {seen['elections']} elections, "
              f"{seen['again']} of {seen['total']} operations again, longest own turn {seen['turn'][0]:.1f} ms "
              f"({seen['turn'][1]})" +
              (f", node {killed.node} killed with {killed.held / 1e6:.1f} MB" if killed else
               f", {seen['written'] / 1e6:.0f} MB written"), flush=True)
        for line in [] if quiet else seen["heard"]:
            print(f"    {line}")
    if digits != first["sha256"]:
        print("FAIL the digits are not GMP's")
        failed += 1
    return failed, ratios, texts


def main():
    harness.end_by_exit()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--job", type=int, default=10000000)
    parser.add_argument("--plan", choices=("tree", "primes"), help="default: the coordinator chooses")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--nodes", type=int, default=6)
    parser.add_argument("--busy", type=int, default=0)
    parser.add_argument("--kill", action="store_true")
    parser.add_argument("--text", action="store_true", help="GMP converts to text in each run, too; memory is not looked at")
    parser.add_argument("--max-result", default=None, help="of the nodes, for jobs beyond the default limit")
    parser.add_argument("--gmp", required=True, help="the program gmp_factorial")
    parser.add_argument("--dir", default=".", help="a directory on the disk that is measured")
    arguments = parser.parse_args()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="large.", dir=arguments.dir)).resolve()
    more = {"max_result": arguments.max_result} if arguments.max_result else {}
    cluster = harness.Cluster(directory / "cluster", nodes=arguments.nodes, **more)
    try:
        product, conversion = gmp(arguments.gmp, arguments.job, directory / "digits")
        print(f"GMP in one process: value {product:.2f} s, text {conversion:.2f} s more", flush=True)
        digits = sha256_of(directory / "digits")
        (directory / "digits").unlink()
        cluster.start().wait_healthy(30)
        with busy(arguments.busy):
            failed, ratios, texts = measure(cluster, arguments, digits, directory)
        status = cluster.status()
        print(f"the value took {median(ratios)}")
        if texts:
            print(f"the text took {median(texts)}")
        print(f"kept for good: {status['kept']['bytes'] / 1e6:.0f} MB of results on each of the disks that hold them; "
              f"the data directories take {on_disk(cluster) / 1e6:.0f} MB in all")
        if arguments.text:
            return 1 if failed else 0
        time.sleep(IDLE_SECONDS)  # what is looked at is what idle nodes hold
        print("memory of idle nodes: " + ", ".join(f"{harness.memory(p) / (1 << 20):.1f}" for p in cluster.nodes.values()) + " MiB")
    finally:
        cluster.close()
        shutil.rmtree(directory, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

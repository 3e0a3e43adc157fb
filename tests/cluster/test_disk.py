"""Disks that are full, damaged, foreign or failing, under real nodes. R23, R24, R25 of the statements."""
import math
import os
import pathlib
import re
import shutil
import subprocess

import pytest

import harness
from harness import ENVIRONMENT, FAILED, OK, TIMEOUT, UNREACHABLE, wait_for

SMALL_MIB = 64  # of a disk that is to be filled: the reserve and some jobs fit


class SmallDisks:
    """A file system of its own for each node named, that can be filled and emptied."""

    def __init__(self, cluster, nodes):
        self.cluster, self.paths = cluster, {}
        for node in nodes:
            path = cluster.dir / f"node{node}"
            path.mkdir(parents=True)
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SMALL_MIB}m", "none", path],
                           check=True, stderr=subprocess.PIPE)
            self.paths[node] = path

    def fill(self, node):
        with open(self.paths[node] / "ballast", "ab", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(bytes(65536))
            except OSError:
                pass

    def empty(self, node):
        (self.paths[node] / "ballast").unlink()

    def close(self):
        for path in self.paths.values():
            subprocess.run(["umount", "-l", path], check=False)


@pytest.fixture
def small_disks():
    if os.geteuid() != 0 or subprocess.run(
            ["unshare", "-m", "true"], check=False, stderr=subprocess.DEVNULL).returncode:
        pytest.skip("it takes the right to mount")
    made = []

    def make(cluster, nodes):
        made.append(SmallDisks(cluster, nodes))
        return made[-1]
    yield make
    for disks in made:
        for process in disks.cluster.nodes.values():
            if process.poll() is None:
                process.kill()
                process.wait()
        disks.close()


def row_of(cluster, node):
    return next(row for row in cluster.status()["nodes"] if row["id"] == node)


def wait_full(cluster, node, full, deadline=10):
    wait_for(lambda: row_of(cluster, node)["disk_full"] == full, deadline,
             f"the disk of node {node} is {'full' if full else 'free'}")


def test_a_full_disk_of_one_node_stops_nothing_R25(make_cluster, small_disks):
    cluster = make_cluster(nodes=5)
    disks = small_disks(cluster, [1, 2])
    cluster.start()
    cluster.wait_healthy()
    before = cluster.submit(300)
    disks.fill(1)
    for n in range(400, 420):  # what it is sent makes it notice
        assert cluster.submit(n)["result"]["text"] == str(math.factorial(n))
    large = cluster.submit(100000)
    wait_full(cluster, 1, True)
    assert cluster.status()["coordinator"] != 1
    assert "full" in cluster.ok("status")
    # It votes all the same: with two others gone its vote is needed, but no third disk can write.
    coordinator = cluster.status()["coordinator"]
    gone = [coordinator, *({2, 3, 4, 5} - {coordinator})][:2]
    for node in gone:
        cluster.kill(cluster.nodes[node])
    cluster.feed.wait(lambda m: m.get("role") == "coordinator" and m["node"] not in gone, 10,
                      "another is elected, by three votes of five")
    refused = cluster.conclave("submit", "factorial", 440)
    assert refused.returncode == UNREACHABLE, refused.stderr
    # None serves; or the entry that the term begins with fits into what node 1 has set aside, and the coordinator says it.
    assert re.search("disk full on (1, so only 2 can write|node 1: 2 of 5 can write)", refused.stderr), refused.stderr
    cluster.start_node(gone[0])
    wait_for(lambda: cluster.conclave("submit", "factorial", 441, "--timeout", "2s").returncode == OK, 20)
    cluster.start_node(gone[1])
    disks.empty(1)
    wait_full(cluster, 1, False)
    cluster.wait_healthy()

    def caught_up():
        rows = cluster.status()["nodes"]
        return len({row["applied"] for row in rows}) == 1
    wait_for(caught_up, 10, "every node has applied the same")
    assert cluster.ok("job", "result", large["id"]).strip() == str(math.factorial(100000))
    assert cluster.json("job", "show", before["id"])["result"] == before["result"]


def test_full_disks_of_a_majority_refuse_jobs_and_lose_nothing_R25(make_cluster, small_disks):
    cluster = make_cluster(nodes=3, delay="5ms")
    disks = small_disks(cluster, [1, 2, 3])
    cluster.start()
    cluster.wait_healthy()
    done = cluster.submit(300)
    running = cluster.json("submit", "factorial", 20000, "--no-wait")
    for node in (1, 2, 3):
        disks.fill(node)

    def refused():
        got = cluster.conclave("submit", "factorial", 30, "--timeout", "3s")
        # By the coordinator; or none serves, because the entry that its term begins with cannot be written.
        return got if "disk full" in got.stderr and got.returncode in (UNREACHABLE, TIMEOUT) else None
    got = wait_for(refused, 30, "a submit is refused")
    assert got.stdout == ""
    assert got.stderr.count("\n") == 1 and "needed" in got.stderr, got.stderr
    if got.returncode == UNREACHABLE:
        listed = {job["id"]: job["state"] for job in cluster.json("job", "list")}
        assert listed[done["id"]] == "done" and listed[running["id"]] in ("queued", "running", "done")
    # Votes still persist: the coordinator dies, and another one leads.
    old = cluster.feed.wait(lambda m: m.get("role") == "coordinator", 15, "one leads", cluster.feed.mark())["node"]
    cluster.kill(cluster.nodes[old])
    cluster.feed.wait(lambda m: m.get("role") == "coordinator" and m["node"] != old, 15,
                      "another is elected", since=cluster.feed.mark())
    disks.empty(old)
    cluster.start_node(old)
    for node in (1, 2, 3):
        if node != old:
            disks.empty(node)
    cluster.wait_healthy(20)
    finished = cluster.json("job", "wait", running["id"], timeout=60)
    assert finished["result"]["digits"] == len(str(math.factorial(20000)))
    assert cluster.ok("job", "result", running["id"]).strip() == str(math.factorial(20000))
    assert cluster.json("job", "show", done["id"])["result"] == done["result"]
    assert cluster.submit(31)["result"]["text"] == str(math.factorial(31))


# --- a disk that fails ---

@pytest.mark.skipif(harness.SANITIZED, reason="sanitizers want to be loaded first")
def test_a_node_whose_fsync_fails_ends_and_acknowledges_nothing_R24(make_cluster, tmp_path):
    cluster = make_cluster(nodes=3)
    trigger = tmp_path / "the-disk-fails"
    failing = cluster.start_preloaded(1, "bad_disk", BAD_DISK=trigger)
    cluster.start_broker()
    cluster.start_node(2)
    cluster.start_node(3)
    cluster.wait_healthy()
    trigger.write_text("fail_sync /\n")
    assert cluster.submit(100)["result"]["text"] == str(math.factorial(100))
    assert failing.wait(harness.seconds(10)) == ENVIRONMENT
    log = (cluster.dir / "node1.log").read_text()
    assert "stopping, because nothing more can be promised" in log and "node1" in log
    trigger.unlink()
    cluster.start_node(1)
    cluster.wait_healthy()
    assert cluster.submit(101)["result"]["text"] == str(math.factorial(101))


# --- damage ---

def stop_all(cluster):
    for process in cluster.nodes.values():
        cluster.kill(process)


def test_a_damaged_store_is_refused_by_name_R23(make_cluster):
    cluster = make_cluster(nodes=3).start()
    cluster.wait_healthy()
    cluster.submit(2000)
    stop_all(cluster)
    data = cluster.dir / "node1" / "store" / "data.mdb"
    damaged = bytearray(data.read_bytes())
    at = damaged.rfind(b"entry_job_submitted")
    while at >= 0:
        damaged[at:at + 5] = b"ENTRY"
        at = damaged.rfind(b"entry_job_submitted")
    data.write_bytes(damaged)
    refused = cluster.start_node(1)
    assert refused.wait(harness.seconds(10)) == ENVIRONMENT
    last = (cluster.dir / "node1.log").read_text().splitlines()[-1]
    assert str(data) in last and "damaged" in last, last
    # The others go on, and the damaged one restarts as a wiped one.
    cluster.start_node(2)
    cluster.start_node(3)
    cluster.wait_served()
    shutil.rmtree(cluster.dir / "node1")
    cluster.start_node(1)
    cluster.wait_healthy()
    assert cluster.submit(33)["result"]["text"] == str(math.factorial(33))


def test_a_torn_or_missing_value_file_is_fetched_again_R23(make_cluster):
    cluster = make_cluster(nodes=3).start()
    cluster.wait_healthy()
    job = cluster.submit(100000)
    wait_for(lambda: len({row["applied"] for row in cluster.status()["nodes"]}) == 1, 10, "all have it")
    stop_all(cluster)
    files = [it for node in (1, 2) for it in (cluster.dir / f"node{node}" / "values").iterdir()]
    assert files
    for path in files:
        pathlib.Path(path).write_bytes(path.read_bytes()[:1000])
    for node in (1, 2, 3):
        cluster.start_node(node)
    cluster.wait_healthy()
    answers = set()
    for _ in range(3):  # whoever coordinates has it, or says plainly that it does not
        got = cluster.conclave("job", "result", job["id"])
        answers.add(got.stdout.strip() if got.returncode == OK else got.stderr)
        coordinator = cluster.status()["coordinator"]
        cluster.kill(cluster.nodes[coordinator])
        wait_for(lambda: (cluster.status() or {}).get("coordinator") not in (None, coordinator), 10)
        cluster.start_node(coordinator)
        cluster.wait_healthy()
    right = str(math.factorial(100000))
    assert all(it == right or "cannot be read" in it for it in answers), answers


def test_outputs_that_fill_a_disk_fail_their_tasks_and_no_more_R25(make_cluster, small_disks):
    cluster = make_cluster(nodes=3, slots=1)
    disks = small_disks(cluster, [1, 2, 3])
    cluster.start()
    cluster.wait_healthy()
    done = cluster.conclave("map", "--max-output", "1GiB", "--sh", "head -c 300000000 /dev/zero; : {}", ":::", *"ab", timeout=60)
    assert done.returncode == FAILED, done.stderr
    job = done.stderr.splitlines()[-1].split()[1].rstrip(":")
    failed = cluster.ok("job", "tasks", job, "--failed", "--wide").splitlines()[1:]
    assert len(failed) == 2 and all("disk full" in row or "no room" in row for row in failed), failed
    small = cluster.conclave("map", "echo", ":::", *"cd", timeout=60)
    assert (small.returncode, small.stdout) == (OK, "c\nd\n"), small.stderr
    assert cluster.submit(300)["state"] == "done"

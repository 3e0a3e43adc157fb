"""A disk that others fill under everything that `conclave up` has: data, logs, and its own files."""
import json
import os
import signal
import subprocess

import pytest

import harness
from harness import wait_for
from test_bounds import Asker

SMALL_MIB = 160


@pytest.fixture
def small_disk(make_cluster):
    """A cluster whose DIR is a small disk in memory, never a real device."""
    if os.geteuid():
        pytest.skip("it takes the right to mount")
    cluster = make_cluster(nodes=3)
    up = cluster.dir / "up"
    up.mkdir(exist_ok=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SMALL_MIB}m,mode=700", "none", up], check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        yield cluster
    finally:
        cluster.conclave("down", "--dir", "up")
        harness.end_marked(cluster.mark)
        subprocess.run(["umount", "-l", up], check=True)


def fill(path):
    with open(path, "wb", buffering=0) as file:
        try:
            for size in (1 << 20, 4096):
                while file.write(b"\0" * size):
                    pass
        except OSError:
            pass
        try:
            while file.write(b"\0" * 4096) == 4096:
                pass
        except OSError:
            pass


def test_a_disk_that_others_fill_under_up_loses_nothing_and_all_comes_back(small_disk):
    cluster, up = small_disk, small_disk.dir / "up"
    cluster.ok("up", "--detach", "--dir", "up", "--nodes", 3, "--port", cluster.port, timeout=60)
    cluster.wait_healthy()
    done = cluster.submit(20, "--key", "before")
    fill(up / "others")

    # What each has set aside for votes, and for what is on its way, is used up first.
    asker, number = Asker(cluster), 0
    while sum(node["disk_full"] for node in cluster.status()["nodes"]) < 2:
        for node in (1, 2, 3):
            for _ in range(50):
                number += 1
                asker.ask(number, {"type": "kv_put", "node": node, "key": f"k-{number}", "name": f"v-{number % 4000}",
                                   "value": "x" * 4096})
        assert asker.finish() and number < 50_000
    print(f"{number} values until {asker.errors}")

    def refused():
        done = cluster.conclave("submit", "factorial", 21, "--timeout", "2s")
        # By the coordinator; or there is none, because no majority can write a vote.
        return done.returncode in (harness.UNREACHABLE, harness.TIMEOUT) and "full" in done.stderr
    wait_for(refused, 20, "nothing new is accepted")
    # A process that dies meanwhile is started again as soon as it can be, and its log is not what stops it.
    supervised = json.loads((up / "supervisor.json").read_text())
    victim = next(it for it in supervised["processes"] if it["node"] == 3)
    os.kill(victim["pid"], signal.SIGKILL)
    wait_for(lambda: not os.path.exists(f"/proc/{victim['pid']}"), 5, "it is gone")
    (up / "others").unlink()
    # Each node looks at its own disk again in its own time; "healthy" says nothing of disks.
    wait_for(lambda: not any(node["disk_full"] for node in cluster.status()["nodes"]), 30, "every disk has room")
    cluster.wait_healthy(30)
    assert cluster.submit(20, "--key", "before")["id"] == done["id"]
    assert cluster.ok("submit", "factorial", 22).startswith("22!=")
    wait_for(lambda: "node3 started" in (up / "supervisor.log").read_text().rsplit("killed by signal", 1)[-1], 5)
    assert json.loads((up / "supervisor.json").read_text())["served"]

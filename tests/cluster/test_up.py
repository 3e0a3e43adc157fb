"""One process that cannot start never ends the others; a slip at `up` never starts another cluster in a DIR."""
import json
import os
import pathlib
import shutil
import signal
import socket

import pytest

import harness
from harness import FAILED, OK, UNREACHABLE, USAGE, wait_for


def start(cluster, *more, code=OK):
    """`up --detach` in DIR "up"."""
    done = cluster.conclave("up", "--detach", "--dir", "up", *more, timeout=60)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return done


def up(cluster, *more):
    return json.loads(start(cluster, "--port", cluster.port, "--json", *more).stdout)


def refused(cluster, *more, says, code=USAGE):
    """`up` refuses in one line that says all of these, and nothing of it stays."""
    before = sorted(p.name for p in (cluster.dir / "up").iterdir())
    done = start(cluster, *more, code=code)
    assert len(done.stderr.splitlines()) == 1 and not done.stdout, done.stderr
    assert all(str(word) in done.stderr for word in says), done.stderr
    assert not harness.marked_pids(cluster.mark)
    if code == USAGE:
        assert sorted(p.name for p in (cluster.dir / "up").iterdir()) == before


def down(cluster):
    cluster.ok("down", "--dir", "up")


def damage(cluster, node):
    """The disk has written rubbish over a store."""
    store = cluster.dir / "up" / f"node{node}" / "store" / "data.mdb"
    store.write_bytes(b"rubbish " * (store.stat().st_size // 8))


def another_nodes_directory(cluster, node, other):
    """A mix-up of directories: the configuration is wrong, as long as nobody puts it right."""
    at, to = (cluster.dir / "up" / f"node{n}" for n in (other, node))
    to.rename(cluster.dir / "aside")
    shutil.copytree(at, to)


def troubles(cluster, *more):
    """What `status` says of processes that do not start."""
    done = cluster.conclave("status", "--json", *more)
    return json.loads(done.stdout)["troubles"] if done.stdout else []


class Held:
    """The supervisor stands still, and one of its processes is dead: time to prepare its next start."""

    def __init__(self, supervisor, victim=None):
        self.supervisor, self.victim = supervisor, victim

    def __enter__(self):
        os.kill(self.supervisor, signal.SIGSTOP)
        if not self.victim:
            return
        os.kill(self.victim, signal.SIGKILL)

        def ended():
            stat = pathlib.Path(f"/proc/{self.victim}/stat").read_text(encoding="ascii")
            return stat.rpartition(")")[2].split()[0] == "Z"
        wait_for(ended, what="it has ended")

    def __exit__(self, *_):
        os.kill(self.supervisor, signal.SIGCONT)


def occupy(port):
    """Takes the port as soon as the one that ended has left it: its last threads may outlive its first."""
    taken = socket.socket()
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)

    def bound():
        try:
            taken.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
    wait_for(bound, what=f"port {port} is free")
    taken.listen()
    return taken


# --- one never ends the others ---

def test_a_damaged_store_does_not_end_the_cluster(make_cluster):
    cluster = make_cluster(nodes=3)
    up(cluster, "--nodes", 3)
    job = cluster.submit(20)["id"]
    down(cluster)
    damage(cluster, 2)
    done = start(cluster, "--json")
    told = json.loads(done.stdout)
    assert len(told["troubles"]) == 1 and told["troubles"][0].startswith("node 2 cannot start: ")
    assert "node2/store/data.mdb" in told["troubles"][0] and told["troubles"][0] in done.stderr
    assert cluster.ok("job", "result", job) == "2432902008176640000\n"
    assert cluster.ok("submit", "factorial", 10) == "10!=3628800\n"
    # Named by `status` and `check`, with its last words, as long as it lasts.
    text = cluster.ok("status", "--dir", "up")
    assert "supervisor   node 2 cannot start: " in text and "data.mdb" in text
    assert troubles(cluster, "--dir", "up") == told["troubles"]
    done = cluster.conclave("check", "--dir", "up")
    assert done.returncode == UNREACHABLE and "node 2 cannot start: " in done.stderr
    assert cluster.conclave("check", "--quorum", "--dir", "up").returncode == OK
    # It is tried again, and starts once the cause is gone.
    shutil.rmtree(cluster.dir / "up" / "node2")
    wait_for(lambda: cluster.conclave("check", "--dir", "up").returncode == OK, 30, "node 2 is back")
    wait_for(lambda: not troubles(cluster, "--dir", "up"), 10, "its trouble is forgotten")
    down(cluster)


def test_a_port_in_use_at_a_restart_does_not_end_the_cluster(make_cluster):
    cluster = make_cluster(nodes=3)
    told = up(cluster, "--nodes", 3)
    status = cluster.wait_healthy()
    with Held(told["pid"], status["nodes"][1]["pid"]):
        taken = occupy(cluster.node_port(2, 1))
    wait_for(lambda: any("cannot start" in line and str(cluster.node_port(2, 1)) in line
                         for line in troubles(cluster, "--dir", "up")), 15, "node 2 is named")
    log = cluster.dir / "up" / "supervisor.log"
    wait_for(lambda: log.read_text().count("node 2 cannot start") >= 3, 20, "it is tried again")
    assert cluster.ok("submit", "factorial", 10) == "10!=3628800\n"
    assert cluster.status()["nodes"][1]["alive"] is False
    taken.close()
    cluster.wait_healthy(20)
    down(cluster)


def test_a_broker_that_cannot_start_ends_nobody(make_cluster):
    cluster = make_cluster(nodes=3, brokers=2)
    told = up(cluster, "--nodes", 3, "--brokers", 2)
    status = cluster.wait_healthy()
    with Held(told["pid"], status["brokers"][1]["pid"]):
        taken = occupy(cluster.fronts[1])
    wait_for(lambda: any(line.startswith("broker 2 cannot start: ")
                         for line in troubles(cluster, "--dir", "up")), 15, "the broker is named")
    done = cluster.conclave("check", "--dir", "up")
    assert done.returncode == UNREACHABLE and "broker 2" in done.stderr
    assert cluster.ok("submit", "factorial", 10) == "10!=3628800\n"
    taken.close()
    wait_for(lambda: cluster.status()["brokers"][1]["alive"], 20, "the broker is back")
    down(cluster)


def test_a_node_that_refuses_its_configuration_later_ends_nobody(make_cluster):
    cluster = make_cluster(nodes=3)
    told = up(cluster, "--nodes", 3)
    status = cluster.wait_healthy()
    with Held(told["pid"], status["nodes"][1]["pid"]):
        another_nodes_directory(cluster, 2, 3)
    wait_for(lambda: any("node 2 cannot start: " in line and "belongs to node 3" in line
                         for line in troubles(cluster, "--dir", "up")), 15, "node 2 is named")
    assert cluster.ok("submit", "factorial", 10) == "10!=3628800\n"
    # By renames, while nobody is started: one that starts in a directory would write in it.
    with Held(told["pid"]):
        (cluster.dir / "up" / "node2").rename(cluster.dir / "other")
        (cluster.dir / "aside").rename(cluster.dir / "up" / "node2")
    cluster.wait_healthy(20)
    down(cluster)


def test_troubles_of_another_cluster_are_not_shown(make_cluster):
    """`.conclave` in the working directory is looked at only when its broker is the one that is asked."""
    cluster, other = make_cluster(nodes=3), make_cluster(nodes=1)
    told = json.loads(cluster.ok("up", "--detach", "--nodes", 3, "--port", cluster.port, "--json",
                                 timeout=60))
    cluster.locks.dir = cluster.dir / ".conclave"
    env = {"CONCLAVE_ACCESS": str(other.locks.admin)}
    status = cluster.wait_healthy()
    other.start()
    other.wait_healthy()
    with Held(told["pid"], status["nodes"][1]["pid"]):
        taken = occupy(cluster.node_port(2, 1))
    wait_for(lambda: troubles(cluster), 15, "the one at hand is looked at")
    assert cluster.conclave("check", broker=other.broker, env=env).returncode == OK
    assert json.loads(cluster.conclave("status", "--json", broker=other.broker, env=env).stdout)["troubles"] == []
    taken.close()
    cluster.wait_healthy(20)
    cluster.ok("down")


# --- before the first healthy start ---

def test_a_configuration_error_at_the_start_ends_up_with_the_words(make_cluster):
    cluster = make_cluster(nodes=3)
    up(cluster, "--nodes", 3)
    down(cluster)
    another_nodes_directory(cluster, 2, 3)
    refused(cluster, "--port", cluster.port, says=["node 2 cannot start: ", "belongs to node 3"])


def test_without_a_majority_up_ends_with_the_words(make_cluster):
    cluster = make_cluster(nodes=3)
    up(cluster, "--nodes", 3)
    down(cluster)
    damage(cluster, 2)
    damage(cluster, 3)
    refused(cluster, "--port", cluster.port, code=FAILED,
            says=["2 of 3 voters cannot start; node ", "data.mdb"])


# --- what DIR says ---

@pytest.fixture
def five(make_cluster):
    """A cluster of five nodes, three of them voters, that has a job and is down."""
    cluster = make_cluster(nodes=5)
    up(cluster, "--nodes", 5, "--voters", 3)
    cluster.submit(20)
    down(cluster)
    return cluster


def record(cluster):
    return cluster.dir / "up" / "founded.json"


def test_up_without_options_takes_the_size_and_the_port_from_dir(five):
    written = record(five).read_text()
    founded = json.loads(written)
    assert [founded[k] for k in ("nodes", "voters", "port", "brokers")] == [5, 3, five.port, 1]
    told = json.loads(start(five, "--json").stdout)
    assert told["nodes"] == 5 and told["port"] == five.port
    assert len(five.wait_healthy()["nodes"]) == 5 and five.status()["quorum"] == 2
    assert len(five.json("job", "list")) == 1
    # It is written when the command returns, also for a supervisor that is killed at once, and once only.
    os.kill(told["pid"], signal.SIGKILL)
    wait_for(lambda: not harness.marked_pids(five.mark), what="all have ended")
    assert record(five).read_text() == written


def test_another_size_is_refused_with_both_numbers(five):
    for options, known in ((["--nodes", 2], 5), (["--nodes", 6], 5), (["--voters", 1], 3),
                           (["--voters", 5], 3), (["--nodes", 2, "--voters", 2], 5)):
        refused(five, *options, says=[f"{options[0]} {options[1]}: ", f" {known} "])
    start(five)
    assert len(five.json("job", "list")) == 1
    down(five)


def test_a_dir_of_an_older_version_tells_its_nodes(five):
    record(five).unlink()
    refused(five, "--nodes", 2, "--port", five.port, says=["--nodes 2: ", " 5 "])
    shutil.rmtree(five.dir / "up" / "node5")  # a wiped disk leaves its log
    refused(five, "--nodes", 4, "--port", five.port, says=["--nodes 4: ", " 5 "])
    told = up(five, "--voters", 3)
    assert told["nodes"] == 5 and len(five.json("job", "list")) == 1
    assert json.loads(record(five).read_text())["nodes"] == 5
    down(five)


def test_the_stores_of_a_founded_cluster_are_gone(five):
    for node in range(1, 6):
        shutil.rmtree(five.dir / "up" / f"node{node}")
    refused(five, says=["5 nodes are gone", "an empty disk is not a new cluster", "--dir"])
    refused(five, "--nodes", 5, "--voters", 3, says=["an empty disk is not a new cluster"])


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1, "nodes": 0}', '{"format": 2, "nodes": 5}'])
def test_a_record_that_cannot_be_read_is_refused(five, text):
    record(five).write_text(text)
    refused(five, says=["up/founded.json cannot be read"])


def test_up_in_the_foreground_writes_the_record_too(make_cluster):
    cluster = make_cluster(nodes=2)
    process = cluster.start_conclave("up", "--dir", "up", "--nodes", "2", "--port", str(cluster.port))
    wait_for(record(cluster).exists, 20, "a coordinator served, and DIR says so")
    assert json.loads(record(cluster).read_text())["nodes"] == 2
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=harness.seconds(10))
    assert record(cluster).exists() and not (cluster.dir / "up" / "supervisor.json").exists()

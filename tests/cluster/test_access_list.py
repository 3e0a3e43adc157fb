"""The list of keys in the log: each process has a directory of its own, as on machines of their own, and nobody copies anything."""
import json
import shutil
import time

import pytest
import zmq

import harness
from harness import OK, seconds, wait_for

KEY_REFUSED = 7
NOT_FOUND = 6


class Machines:
    """The key files of each process in a directory of its own: "node1", ..., "broker"."""

    def __init__(self, cluster, root):
        self.cluster, self.root, self.of = cluster, root, cluster.access
        cluster.access = self.access

    def access(self, role, number):
        path = self.of(role, number)["access"]
        place = self.root / path.stem
        if not place.exists():
            place.mkdir(mode=0o700)
            shutil.copy(path, place)
            shutil.copy(self.cluster.locks.file("allowed"), place)
        return {"access": place / path.name}

    def list(self, name):
        return json.loads((self.root / name / "allowed.json").read_text(encoding="ascii"))

    def version(self, name):
        return self.list(name)["version"]


@pytest.fixture(name="apart")
def make_apart(make_cluster, tmp_path):
    (tmp_path / "machines").mkdir(mode=0o700)
    cluster = make_cluster(nodes=3)
    machines = Machines(cluster, tmp_path / "machines")
    cluster.start()
    cluster.wait_healthy()
    return cluster, machines


ALL = ("node1", "node2", "node3", "broker")


def here(cluster):
    return cluster.locks.read(cluster.locks.file("allowed"))


def has_version(machines, version, names=ALL):
    return all(machines.version(name) == version for name in names)


def test_a_key_that_is_added_or_revoked_is_known_everywhere_X12(apart):
    cluster, machines = apart
    before = cluster.wait_healthy()
    cluster.ok("keys", "add", "alice", "--role", "submit", "--dir", cluster.locks.dir)
    version = here(cluster)["version"]
    wait_for(lambda: has_version(machines, version), 5, "all have the new list")
    assert machines.list("node2")["keys"] == here(cluster)["keys"] == machines.list("broker")["keys"]
    alice = {"CONCLAVE_ACCESS": str(cluster.locks.file("alice"))}
    assert cluster.conclave("submit", "factorial", 10, env=alice).stdout == "10!=3628800\n"
    began = time.monotonic()
    cluster.ok("keys", "revoke", "alice", "--dir", cluster.locks.dir)
    wait_for(lambda: cluster.conclave("submit", "factorial", 10, env=alice).returncode == KEY_REFUSED, 5, "she is refused")
    print(f"revoked on all machines after {time.monotonic() - began:.2f} s")
    wait_for(lambda: has_version(machines, version + 1), 5, "all have the list without her")
    for name in ALL:
        place = machines.root / name / "allowed.json"
        assert place.stat().st_mode & 0o777 == 0o600 and list(place.parent.glob("allowed.json.*")) == []
    after = cluster.wait_healthy()
    assert (after["term"], after["coordinator"]) == (before["term"], before["coordinator"])


def test_who_was_away_has_the_list_when_it_is_back(apart):
    cluster, machines = apart
    away = next(n for n in (1, 2, 3) if n != cluster.status()["coordinator"])
    cluster.kill(cluster.nodes[away])
    cluster.kill(cluster.brokers[0])
    cluster.start_broker()
    cluster.wait_served()
    cluster.ok("keys", "add", "bob", "--role", "submit", "--dir", cluster.locks.dir)
    version = here(cluster)["version"]
    assert machines.version(f"node{away}") < version
    cluster.start_node(away)
    wait_for(lambda: has_version(machines, version), 10, "it has the list")
    # All of them at once, with files of before: the log has the newer list.
    for process in [*cluster.nodes.values(), *cluster.brokers.values()]:
        cluster.kill(process)
    for name in ALL:
        place = machines.root / name / "allowed.json"
        place.write_text(json.dumps(machines.list(name) | {"version": 1, "keys": [k for k in here(cluster)["keys"] if k["name"] != "bob"]}),
                         encoding="ascii")
    cluster.start()
    cluster.wait_healthy(20)
    wait_for(lambda: has_version(machines, version), 10, "the highest version wins")
    bob = {"CONCLAVE_ACCESS": str(cluster.locks.file("bob"))}
    assert cluster.conclave("submit", "factorial", 10, env=bob).stdout == "10!=3628800\n"


def test_a_list_that_changed_while_no_cluster_ran_is_taken_at_the_start(apart):
    cluster, machines = apart
    for process in [*cluster.nodes.values(), *cluster.brokers.values()]:
        cluster.kill(process)
    began = time.monotonic()
    cluster.ok("keys", "add", "carol", "--role", "submit", "--dir", cluster.locks.dir)
    assert time.monotonic() - began < seconds(2), "nobody listens, so nobody is waited for"
    for name in ("node1", "node2", "node3"):
        shutil.copy(cluster.locks.file("allowed"), machines.root / name)
    cluster.start()
    cluster.wait_healthy(20)
    wait_for(lambda: has_version(machines, here(cluster)["version"]), 10, "the broker has it, too")


def test_a_change_is_based_on_the_list_that_the_cluster_has(apart, tmp_path):
    cluster, machines = apart
    other = tmp_path / "other"
    shutil.copytree(cluster.locks.dir, other)
    cluster.ok("keys", "add", "dave", "--role", "submit", "--dir", cluster.locks.dir)
    cluster.ok("keys", "add", "erin", "--role", "submit", "--dir", other)
    names = {k["name"] for k in machines.list("node1")["keys"]}
    wait_for(lambda: {"dave", "erin"} <= {k["name"] for k in machines.list("node1")["keys"]}, 5, f"both are there: {names}")


def test_only_an_admin_may_change_the_list_X2(apart):
    cluster, machines = apart
    cluster.ok("keys", "add", "mallory", "--role", "submit", "--dir", cluster.locks.dir)
    version = here(cluster)["version"]
    wait_for(lambda: has_version(machines, version), 5, "she is known")
    done = cluster.conclave("keys", "add", "evil", "--role", "admin", "--dir", cluster.locks.dir,
                            env={"CONCLAVE_ACCESS": str(cluster.locks.file("mallory"))})
    assert done.returncode != OK and "needs admin" in done.stderr, done
    time.sleep(1)  # nothing is to happen
    assert has_version(machines, version)
    bad = {"type": "access_set", "request": 1, "version": version + 9}
    for text in (b"{", json.dumps(here(cluster) | {"version": 3}).encode(), json.dumps(here(cluster) | {"cluster": "ffff", "version": version + 9}).encode()):
        answer, _ = harness.request(cluster.broker, bad | {"list": text})
        assert answer["type"] == "error" and answer["code"] == "invalid", answer
    old = bad | {"version": 1, "list": json.dumps(here(cluster) | {"version": 1}).encode()}
    answer, _ = harness.request(cluster.broker, old, b"")
    assert answer["code"] == "unsigned", answer
    answer, _ = harness.signed_request(cluster.broker, old)
    assert answer["code"] == "stale", answer
    assert cluster.ok("submit", "factorial", 10) == "10!=3628800\n" and has_version(machines, version)


def test_an_admins_key_alone_makes_keys(apart):
    """What a stolen one can do (docs/security.md): no directory is needed, as the list is what it hands in."""
    cluster, machines = apart
    public, secret = (part.decode() for part in zmq.curve_keypair())
    listed = here(cluster)
    listed["version"] += 1
    listed["keys"].append({"name": "evil", "role": "admin", "node": 0, "public": public, "signing": None, "expires": None})
    answer, _ = harness.signed_request(cluster.broker, {"type": "access_set", "request": 1, "version": listed["version"],
                                                        "list": json.dumps(listed).encode()})
    assert answer["type"] == "access", answer
    wait_for(lambda: has_version(machines, listed["version"]), 5, "all have it")
    assert "evil" in {key["name"] for key in machines.list("node2")["keys"]}


def test_a_list_that_is_too_long_for_the_log_is_refused_X4(apart):
    cluster, machines = apart
    version = here(cluster)["version"]
    wait_for(lambda: has_version(machines, version), 5, "all have it")
    listed = here(cluster) | {"version": version + 1}
    listed["keys"] += [{"name": f"n{i}", "role": "monitor", "node": 0, "public": zmq.curve_keypair()[0].decode(), "signing": None,
                        "expires": None} for i in range(500)]
    text = json.dumps(listed, separators=(",", ":")).encode()
    assert len(text) > 48 * 1024
    answer, _ = harness.request(cluster.broker, {"type": "access_set", "request": 1, "version": version + 1, "list": text}, b"")
    assert answer["type"] == "error" and answer["code"] == "malformed", answer
    assert cluster.ok("submit", "factorial", 10) == "10!=3628800\n" and has_version(machines, version)

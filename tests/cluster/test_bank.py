"""The ledgers of real nodes: rules at the command line, exactly once by key, and money that no kill -9 loses."""
import random
import threading
import time

import pytest

import harness
from harness import FAILED, NOT_FOUND, OK, UNREACHABLE, USAGE, seconds, wait_for

NAMES = ("alice", "bob", "carol")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    yield from harness.healthy(tmp_path_factory.mktemp("bank"), nodes=3)


def deposit(cluster, account, amount):
    return int(cluster.ok("bank", "deposit", account, amount))


def balance(cluster, account):
    return int(cluster.ok("bank", "balance", account))


def refused(cluster, code, word, *arguments):
    """The command must fail with that exit code and one line that has the word in it."""
    done = cluster.conclave(*arguments)
    lines = done.stderr.strip().splitlines()
    assert (done.returncode, done.stdout) == (code, ""), (arguments, done)
    assert len(lines) == 1 and word in lines[0], (arguments, lines)


def settled(cluster):
    """Until every transfer has arrived and is acknowledged; returns the list."""
    def nothing_is_sent():
        done = cluster.conclave("bank", "list", "--json")
        listed = harness.json.loads(done.stdout) if done.returncode == OK else None
        return listed if listed and not listed["sent"] else None
    return wait_for(nothing_is_sent, 20, "every transfer has arrived")


# --- rules ---

def test_money_is_deposited_withdrawn_and_transferred(cluster):
    assert deposit(cluster, "ann@1", 1000) == 1000
    assert deposit(cluster, "ben@2", 500) == 500
    assert int(cluster.ok("bank", "withdraw", "ann@1", 100)) == 900
    assert int(cluster.ok("bank", "transfer", "ann@1", "ben@2", 300)) == 600
    wait_for(lambda: balance(cluster, "ben@2") == 800, what="the money has arrived")
    assert deposit(cluster, "abe@1", 1) == 1
    assert int(cluster.ok("bank", "transfer", "ann@1", "abe@1", 600)) == 0
    assert balance(cluster, "abe@1") == 601
    listed = settled(cluster)
    assert [node["node"] for node in listed["nodes"]] == [1, 2, 3]
    assert listed["nodes"][0]["accounts"] | {"ann": 0, "abe": 601} == listed["nodes"][0]["accounts"]
    assert listed["total"] == sum(sum(n["accounts"].values()) for n in listed["nodes"])
    lines = cluster.ok("bank", "list", "--node", 2).splitlines()
    assert lines[0].split() == ["NODE", "ACCOUNT", "BALANCE"]
    assert lines[1].split() == ["2", "ben", "800"] and lines[2].split()[-1] == "800"


def test_what_cannot_be_done_is_refused_and_changes_nothing(cluster):
    deposit(cluster, "rich@1", 100)
    deposit(cluster, "poor@2", 1)
    for code, word, *arguments in [
            (FAILED, "has 100, less than 101", "withdraw", "rich@1", 101),
            (FAILED, "has 100, less than 101", "transfer", "rich@1", "poor@2", 101),
            (FAILED, "no room", "deposit", "rich@1", 10**15),
            (NOT_FOUND, "no account nobody on node 1", "withdraw", "nobody@1", 1),
            (NOT_FOUND, "no account nobody on node 1", "balance", "nobody@1"),
            (NOT_FOUND, "no account nobody on node 2", "transfer", "rich@1", "nobody@2", 1),
            (NOT_FOUND, "no account nobody on node 1", "transfer", "rich@1", "nobody@1", 1),
            (NOT_FOUND, "no account nobody on node 1", "transfer", "nobody@1", "poor@2", 1),
            (USAGE, "itself", "transfer", "rich@1", "rich@1", 1),
            (USAGE, "no node 4", "deposit", "rich@4", 1),
            (USAGE, "no node 4", "transfer", "rich@1", "poor@4", 1),
            (USAGE, "from 1 to", "deposit", "rich@1", 0),
            (USAGE, "'-5'", "deposit", "rich@1", -5),
            (USAGE, "'1.5'", "withdraw", "rich@1", "1.5"),
            (USAGE, "from 1 to", "transfer", "rich@1", "poor@2", 10**15 + 1),
            (USAGE, "not an account", "deposit", "rich", 1),
            (USAGE, "are needed", "deposit", "rich@1"),
            (USAGE, "--key", "deposit", "rich@1", 1, "--key", "a b")]:
        refused(cluster, code, word, "bank", *arguments)
    assert (balance(cluster, "rich@1"), balance(cluster, "poor@2")) == (100, 1)


def test_a_retry_with_the_same_key_moves_the_money_once(cluster):
    deposit(cluster, "kay@1", 100)
    deposit(cluster, "ken@3", 1)
    for repeated in (False, True, True):
        answer = cluster.json("bank", "transfer", "kay@1", "ken@3", 10, "--key", "once")
        assert answer == {"account": "kay", "node": 1, "amount": 10, "balance": 90, "key": "once",
                          "repeated": repeated}
    refused(cluster, USAGE, "different request", "bank", "transfer", "kay@1", "ken@3", 11, "--key", "once")
    settled(cluster)
    assert (balance(cluster, "kay@1"), balance(cluster, "ken@3")) == (90, 11)


def test_values_are_put_and_sent(cluster):
    assert cluster.ok("kv", "put", "colour", "red") == ""
    assert cluster.ok("kv", "get", "colour") == "red\n"
    refused(cluster, NOT_FOUND, "no value colour on node 2", "kv", "get", "colour", "--node", 2)
    assert cluster.json("kv", "put", "--from", 1, "--node", 2, "colour", "grün", "--key", "v")["from"] == 1
    wait_for(lambda: cluster.conclave("kv", "get", "colour", "--node", 2).stdout == "grün\n", what="it is there")
    assert cluster.json("kv", "get", "colour", "--node", 2) == {"name": "colour", "node": 2, "value": "grün"}
    refused(cluster, USAGE, "not the name", "kv", "put", "a colour", "red")
    refused(cluster, USAGE, "4096", "kv", "put", "colour", "x" * 4097)
    refused(cluster, USAGE, "no node 9", "kv", "put", "--from", 1, "--node", 9, "colour", "red")


def test_values_are_listed_and_deleted(cluster):
    for node, name, value in ((1, "fruit.apple", "green"), (1, "fruit.pear", "a\tb"), (2, "fruit.apple", "rot"), (1, "fruits", "many")):
        cluster.ok("kv", "put", "--node", node, name, value)
    rows = [{"node": 1, "name": "fruit.apple", "value": "green"}, {"node": 1, "name": "fruit.pear", "value": "a\tb"},
            {"node": 2, "name": "fruit.apple", "value": "rot"}]
    assert cluster.json("kv", "list", "fruit.") == rows
    assert cluster.json("kv", "list", "fruit.", "--limit", 2) == rows[:2]
    assert cluster.json("kv", "list", "fruit.", "--node", 2) == rows[2:]
    assert cluster.json("kv", "list", "nothing") == []
    assert cluster.ok("kv", "list", "fruit.p") == "NODE  NAME        VALUE\n   1  fruit.pear  a\\x09b\n"
    assert cluster.ok("kv", "get", "fruit.apple", "fruits") == "green\nmany\n"
    assert cluster.json("kv", "del", "fruits", "--key", "d") == {"name": "fruits", "node": 1, "key": "d", "repeated": False}
    assert cluster.json("kv", "del", "fruits", "--key", "d")["repeated"]
    refused(cluster, NOT_FOUND, "no value fruits on node 1", "kv", "del", "fruits", "fruit.pear")
    assert cluster.json("kv", "list", "fruit") == [rows[0], rows[2]]
    refused(cluster, USAGE, "not the name", "kv", "list", "a b")
    refused(cluster, USAGE, "one prefix", "kv", "list", "a", "b")
    refused(cluster, USAGE, "no node 9", "kv", "del", "--node", 9, "colour")
    refused(cluster, USAGE, "--key is for one name", "kv", "del", "a", "b", "--key", "k")


def test_a_foreign_client_is_told_what_is_wrong(cluster):
    address = f"tcp://127.0.0.1:{cluster.port}"
    ask = {"type": "bank_deposit", "request": 5, "node": 1, "key": "k", "account": "eve"}
    for more, code in [({"amount": 0}, "invalid"), ({"amount": 2**64 - 1}, "invalid"),
                       ({"amount": -5}, "malformed"), ({}, "malformed"),
                       ({"amount": 1, "node": 0}, "invalid"), ({"amount": 1, "account": "x" * 65}, "malformed"),
                       ({"amount": 1, "key": ""}, "invalid")]:
        answer, _ = harness.request(address, ask | more)
        assert (answer["type"], answer["code"]) == ("error", code), (more, answer)


# --- kill -9 ---

class Tellers:
    """Clients that transfer at random until they are stopped; each repeats a transfer with its key until it is
    answered."""

    def __init__(self, cluster, count):
        self.cluster, self.running, self.moved, self.faults = cluster, True, 0, []
        self.expected = {}
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run, args=(i,)) for i in range(count)]
        for thread in self.threads:
            thread.start()

    def run(self, number):
        choose, count = random.Random(number), 0
        while self.running:
            source, target = (f"{choose.choice(NAMES)}@{1 + choose.randrange(self.cluster.n_nodes)}" for _ in "ab")
            if source == target:
                continue
            count += 1
            self.transfer(source, target, 1 + choose.randrange(300), f"{number}-{count}")

    def transfer(self, source, target, amount, key):
        while True:
            done = self.cluster.conclave("bank", "transfer", source, target, amount, "--key", key)
            if done.returncode in (OK, FAILED):
                break
            if done.returncode != UNREACHABLE:
                self.faults.append(done)
                return
        if done.returncode == OK:
            with self.lock:
                self.moved += 1
                self.expected[source] = self.expected.get(source, 0) - amount
                self.expected[target] = self.expected.get(target, 0) + amount

    def stop(self):
        self.running = False
        for thread in self.threads:
            thread.join()
        assert not self.faults, self.faults


def test_killed_nodes_neither_lose_nor_make_money(make_cluster):
    cluster = make_cluster(nodes=4).start()
    cluster.wait_healthy()
    for node in range(1, 5):
        for name in NAMES:
            assert deposit(cluster, f"{name}@{node}", 1000) == 1000
    tellers = Tellers(cluster, 3)
    end = time.monotonic() + seconds(12)
    kills = 0
    while time.monotonic() < end:
        victim = 1 + kills % 4
        cluster.kill(cluster.nodes[victim])
        kills += 1
        cluster.start_node(victim)
        wait_for(lambda: cluster.conclave("bank", "list", "--node", victim).returncode == OK, 10, "it is back")
    tellers.stop()
    cluster.wait_healthy()
    listed = settled(cluster)
    print(f"{tellers.moved} transfers, {kills} kills")
    assert listed["total"] == 4 * 3 * 1000
    assert kills >= 4 and tellers.moved > 20
    # Every transfer that was acknowledged moved its money once, every other one never.
    for node in listed["nodes"]:
        for name, amount in node["accounts"].items():
            assert amount == 1000 + tellers.expected.get(f"{name}@{node['node']}", 0)


def test_a_whole_cluster_that_is_killed_remembers(make_cluster):
    cluster = make_cluster(nodes=3).start()
    cluster.wait_healthy()
    deposit(cluster, "alice@1", 1000)
    deposit(cluster, "bob@2", 1)
    cluster.ok("bank", "transfer", "alice@1", "bob@2", 1, "--key", "known")
    cluster.kill(cluster.nodes[2])
    assert int(cluster.ok("bank", "transfer", "alice@1", "bob@2", 99)) == 900
    assert cluster.json("bank", "list", "--node", 1)["sent"] >= 99
    cluster.ok("kv", "put", "colour", "red")
    cluster.ok("kv", "put", "shape", "round")
    cluster.ok("kv", "del", "shape")
    for node in (1, 3):
        cluster.kill(cluster.nodes[node])
    for node in (1, 2, 3):
        cluster.start_node(node)
    cluster.wait_healthy()
    assert settled(cluster)["total"] == 1001
    assert (balance(cluster, "alice@1"), balance(cluster, "bob@2")) == (900, 101)
    assert cluster.json("bank", "transfer", "alice@1", "bob@2", 1, "--key", "known")["repeated"]
    assert cluster.json("kv", "list") == [{"node": 1, "name": "colour", "value": "red"}]


def test_a_node_that_is_down_is_named(make_cluster):
    cluster = make_cluster(nodes=3).start()
    cluster.wait_healthy()
    deposit(cluster, "alice@1", 10)
    cluster.kill(cluster.nodes[3])
    wait_for(lambda: not cluster.status()["healthy"], what="its end is known")
    done = cluster.conclave("bank", "transfer", "alice@1", "bob@3", 1, "--timeout", "20s")
    assert done.returncode == UNREACHABLE and "node 3 does not answer" in done.stderr, done
    assert "--key" in done.stderr
    done = cluster.conclave("bank", "balance", "bob@3")
    assert done.returncode == UNREACHABLE and "node 3 is not alive" in done.stderr
    assert balance(cluster, "alice@1") == 10

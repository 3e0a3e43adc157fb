"""What a key of each role can do, on real processes: roles (X2), signatures (X13), owners (X14) and the lines that changes leave (X16)."""
import json
import os
import re

import msgpack
import pytest
import zmq

import harness
import signing
from harness import NOT_FOUND, OK, seconds, wait_for
from test_doors import PLANES, knock, vote

KEY_REFUSED = 7
PEOPLE = {"alice": "submit", "bob": "submit", "carol": "commands", "eve": "monitor"}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    for it in harness.healthy(tmp_path_factory.mktemp("roles"), nodes=3):
        for name, role in PEOPLE.items():
            it.ok("keys", "add", name, "--role", role, "--dir", it.locks.dir)
        for name in PEOPLE:
            wait_for(lambda name=name: run(it, name, "status").returncode == OK, what=f"{name} is known")
        yield it


def run(cluster, name, *arguments, **more):
    """The command line with the key of somebody."""
    return cluster.conclave(*arguments, env={"CONCLAVE_ACCESS": str(cluster.locks.file(name))}, **more)


def ok(cluster, name, *arguments):
    done = run(cluster, name, *arguments)
    assert done.returncode == OK, (name, arguments, done)
    return done.stdout


def refused(cluster, name, *arguments):
    """The command is refused in one line, by the role."""
    done = run(cluster, name, *arguments)
    assert done.returncode == KEY_REFUSED and done.stdout == "", (name, arguments, done)
    line, = done.stderr.splitlines()
    assert re.search(rf"the key of {name} has the role {PEOPLE[name]}; \w+ needs \w+$", line), line
    return line


def forbidden(cluster):
    return sum(row["forbidden"] for row in cluster.wait_served()["nodes"])


def log(cluster):
    return "".join((cluster.dir / f"node{node}.log").read_text() for node in cluster.nodes)


def audits(cluster, *words):
    """The audit lines that have all of these words."""
    return [line for line in log(cluster).splitlines() if "audit name=" in line and all(word in line for word in words)]


# --- roles ---

def test_who_watches_changes_nothing(cluster):
    before = forbidden(cluster)
    jobs = cluster.json("job", "list")
    refused(cluster, "eve", "submit", "factorial", 10)
    refused(cluster, "eve", "progress", "set", 1, 5)
    refused(cluster, "eve", "bank", "deposit", "mallory@1", 100)
    refused(cluster, "eve", "kv", "put", "x", "y", "--node", 1)
    refused(cluster, "eve", "snapshot", "take")
    assert cluster.json("job", "list") == jobs
    assert cluster.conclave("bank", "balance", "mallory@1").returncode == NOT_FOUND
    assert cluster.ok("progress", "get", 1).strip() == "0"
    wait_for(lambda: forbidden(cluster) >= before + 5, what="they are counted")
    for arguments in (("status",), ("job", "list"), ("progress", "get", 1), ("bank", "list"), ("snapshot", "list")):
        ok(cluster, "eve", *arguments)


def test_who_submits_does_nothing_that_needs_admin(cluster):
    for name in ("alice", "carol"):
        assert "snapshot_take needs admin" in refused(cluster, name, "snapshot", "take")
        assert "init needs admin" in refused(cluster, name, "init")
        ok(cluster, name, "submit", "factorial", 10)
        ok(cluster, name, "bank", "deposit", f"{name}@1", 100)
    assert not [row for row in cluster.json("snapshot", "list") if not row.get("periodic")]


def test_a_snapshot_is_the_admins_to_read(cluster):
    """It holds what belongs to everybody."""
    head = cluster.json("snapshot", "take")["snapshot_id"]
    for name in PEOPLE:
        assert "snapshot_get needs admin" in refused(cluster, name, "snapshot", "show", head)
        assert run(cluster, name, "snapshot", "export", head, cluster.dir / f"{name}.snapshot").returncode == KEY_REFUSED
        assert not (cluster.dir / f"{name}.snapshot").exists()
    cluster.ok("snapshot", "show", head)


def test_a_clients_key_sends_no_message_of_a_node_X2(cluster):
    """Neither to a node nor through a broker."""
    before, keys = cluster.wait_healthy(), cluster.locks
    for name in ("alice", "carol"):
        for plane in ("control", "channel", "checkpoint", "value"):
            address = f"tcp://127.0.0.1:{cluster.node_port(2, PLANES[plane])}"
            assert not knock(address, keys.read(keys.file(name)), keys.public_of_node(2), [vote(3)])[0], (name, plane)
        count = cluster.rejected(broker=0)
        _, answer = knock(cluster.broker, keys.read(keys.file(name)), keys.read(keys.admin)["brokers_public"], [vote(3)])
        assert msgpack.unpackb(answer[0])["code"] == "malformed"
        wait_for(lambda count=count: cluster.rejected(broker=0) > count, what="it is counted")
    after = cluster.wait_healthy()
    assert (after["term"], after["coordinator"]) == (before["term"], before["coordinator"])


class Broker:
    """Speaks to a node with the key of a broker, and states whose requests it passes on."""

    def __init__(self, cluster, node, key="broker"):
        self.context = zmq.Context()
        self.dealer = self.context.socket(zmq.DEALER)
        self.dealer.linger = 0
        mine = cluster.locks.read(cluster.locks.file(key))
        self.dealer.curve_publickey, self.dealer.curve_secretkey = mine["public"].encode(), mine["secret"].encode()
        self.dealer.curve_serverkey = cluster.locks.public_of_node(node).encode()
        self.dealer.connect(f"tcp://127.0.0.1:{cluster.node_port(node)}")

    def ask(self, stated, body, wait=5):
        return self.send(stated, msgpack.packb({"request": 7} | body), wait=wait)

    def send(self, stated, body, *frames, wait=5):
        self.dealer.send_multipart([b"client", stated, body, *frames])
        if not self.dealer.poll(1000 * seconds(wait)):
            return None
        return msgpack.unpackb(self.dealer.recv_multipart()[2])

    def close(self):
        self.context.destroy(0)


@pytest.fixture
def broker(cluster):
    """Of the coordinator."""
    it = Broker(cluster, cluster.wait_healthy()["coordinator"])
    yield it
    it.close()


def public(cluster, name):
    path = cluster.locks.admin if name == "admin" else cluster.locks.file(name)
    return cluster.locks.read(path)["public"].encode()


def test_a_node_believes_a_broker_the_key_and_looks_the_role_up_itself(cluster, broker):
    submit = {"type": "submit", "key": "stated", "kind": "factorial", "spec": "10"}
    assert broker.ask(public(cluster, "eve"), submit)["code"] == "forbidden"
    # What the client says of itself is nothing.
    assert broker.ask(public(cluster, "eve"), submit | {"role": "admin", "owner": "admin"})["code"] == "forbidden"
    assert broker.ask(zmq.curve_keypair()[0], submit)["code"] == "key_unknown"
    for nobody in ("node1", "broker"):
        assert broker.ask(public(cluster, nobody), submit)["code"] == "forbidden", nobody
    assert broker.ask(b"", submit, wait=1) is None  # without a key it is no request
    answer = broker.ask(public(cluster, "alice"), submit)
    assert answer["type"] == "job" and answer["jobs"][0]["owner"] == "alice", answer


def test_a_brokers_key_asks_in_any_name_for_what_is_not_signed(cluster, broker):
    """What a stolen one can do (docs/security.md): it is said, so it is to be true."""
    mine = json.loads(ok(cluster, "alice", "submit", "factorial", 3000000, "--no-wait", "--json"))
    answer = broker.ask(public(cluster, "alice"), {"type": "job_cancel", "job": harness.job_number(mine["id"])})
    assert answer["type"] == "job", answer
    wait_for(lambda: json.loads(ok(cluster, "alice", "job", "show", mine["id"], "--json"))["state"] == "cancelled",
             what="it is cancelled")
    wait_for(lambda: audits(cluster, "name=alice", "request=job_cancel", mine["id"]), what="a line in the name that it stated")


def test_a_nodes_key_asks_for_nothing(cluster):
    other = Broker(cluster, 2, "node1")
    try:
        assert other.ask(public(cluster, "admin"), {"type": "status_get", "node": 2}, wait=1) is None
    finally:
        other.close()


def test_the_admins_key_does_everything_that_can_be_asked_for(cluster):
    job = ok(cluster, "alice", "submit", "factorial", 13, "--json")
    cluster.ok("job", "show", json.loads(job)["id"])
    long = ok(cluster, "alice", "submit", "factorial", 3000000, "--no-wait").strip()
    assert cluster.conclave("job", "cancel", long).returncode in (OK, harness.CANCELLED)
    assert json.loads(ok(cluster, "alice", "job", "show", long, "--json"))["state"] == "cancelled"
    head = cluster.json("snapshot", "take")
    cluster.ok("snapshot", "show", head["snapshot_id"])
    cluster.ok("snapshot", "export", head["snapshot_id"], cluster.dir / "all.snapshot")
    cluster.ok("bank", "deposit", "root@3", 1)
    cluster.ok("kv", "put", "a", "b", "--node", 3)
    cluster.ok("job", "forget", long)
    # But it is nobody's place to be a node.
    address = f"tcp://127.0.0.1:{cluster.node_port(2)}"
    keys = cluster.locks
    assert not knock(address, keys.read(keys.admin), keys.public_of_node(2), [vote(3)])[0]


# --- signatures ---

def taken(cluster):
    """Snapshots that somebody asked for, on all nodes."""
    return sum(not row.get("periodic") for node in cluster.nodes for row in cluster.json("snapshot", "list", "--node", node))


def pack(**body):
    return msgpack.packb({"request": 7} | body)


def test_a_brokers_key_makes_no_request_of_the_admin_X13(cluster, broker):
    """What a stolen broker's key may try: it speaks to a node and states the admin's key."""
    before, count, admin = taken(cluster), forbidden(cluster), public(cluster, "admin")
    mine = signing.Signer(cluster.locks.file("carol"))
    told = broker.send(admin, pack(type="snapshot_take"), b"")
    assert told["code"] == "unsigned" and told["incarnation"] and told["node"], told
    mine.take(told)
    listed = json.dumps(cluster.locks.read(cluster.locks.file("allowed")) | {"version": 99}).encode()
    for kind in ("snapshot_take", "init", "snapshot_get", "access_set"):
        body = pack(type=kind, incarnation=1, counter=1, offset=0, version=99, list=listed)
        assert broker.send(admin, body)["code"] == "unsigned", kind
        for frame in (mine.frame(body), mine.frame(body, public=admin.decode()),
                      mine.frame(body, public=admin.decode(), seed=os.urandom(32)), bytes(88)):
            answer = broker.send(admin, body, frame)
            assert answer["code"] in ("forbidden", "unsigned") and answer["type"] == "error", (kind, answer)
    body = pack(type="snapshot_take")
    assert broker.send(admin, body, mine.frame(body, public=admin.decode()))["code"] == "forbidden"
    # Who signs as itself has its own role.
    assert broker.send(public(cluster, "carol"), body, mine.frame(body))["code"] == "forbidden"
    assert taken(cluster) == before
    wait_for(lambda: forbidden(cluster) >= count + 15, what="they are counted")
    assert audits(cluster, "name=admin role=admin request=snapshot_take result=forbidden")
    assert audits(cluster, "name=admin role=admin request=init result=unsigned")


def test_a_signed_request_is_executed_once_and_nowhere_else_X13(make_cluster):
    """What a stolen broker's key may try with what it has seen, here and after a failover."""
    cluster = make_cluster(nodes=3).start()
    first = cluster.wait_healthy()["coordinator"]
    other = first % 3 + 1
    admin, signer = public(cluster, "admin"), signing.Signer(cluster.locks.admin)
    asker, elsewhere = Broker(cluster, first), Broker(cluster, other)
    try:
        body = pack(type="snapshot_take")
        signer.take(asker.send(admin, body, b""))
        seen = signer.frame(body)
        assert asker.send(admin, body, seen)["type"] == "snapshot"
        count = taken(cluster)
        for _ in range(3):
            assert asker.send(admin, body, seen)["code"] == "unsigned"
        assert elsewhere.send(admin, body, seen)["code"] == "unsigned"
        assert asker.send(admin, pack(type="init"), seen)["code"] == "forbidden"  # other bytes
        # One that was kept back: a later one makes it void.
        early, late = signer.frame(body), signer.frame(body)
        assert asker.send(admin, body, late)["type"] == "snapshot"
        assert asker.send(admin, body, early)["code"] == "unsigned"
        # Another life of the node, and another coordinator.
        kept = signer.frame(body)
        asker.close()
        cluster.kill(cluster.nodes[first])
        cluster.start_node(first)
        cluster.wait_healthy()
        asker = Broker(cluster, first)
        for it in (asker, elsewhere):
            for frame in (seen, late, kept):
                assert it.send(admin, body, frame)["code"] == "unsigned"
        assert taken(cluster) == count + 1
        assert cluster.conclave("snapshot", "take").returncode == OK
    finally:
        asker.close()
        elsewhere.close()


def test_several_programs_sign_with_one_key_at_a_time(cluster):
    node = cluster.wait_healthy()["coordinator"]
    programs = [cluster.start_conclave("snapshot", "take", "--node", node, "--json") for _ in range(6)]
    ids = set()
    for program in programs:
        out, err = program.communicate(timeout=seconds(30))
        assert program.returncode == OK, err
        ids.add(json.loads(out)["snapshot_id"])
    assert len(ids) == 6
    assert cluster.conclave("snapshot", "show", ids.pop(), "--json").returncode == OK


def test_a_key_file_that_cannot_sign_says_so(cluster, tmp_path):
    old = cluster.locks.read(cluster.locks.admin)
    del old["signing_public"], old["signing_secret"]
    path = tmp_path / "old.json"
    path.write_text(json.dumps(old))
    path.chmod(0o600)
    done = cluster.conclave("snapshot", "take", env={"CONCLAVE_ACCESS": str(path)})
    assert done.returncode == KEY_REFUSED and "keys rotate" in done.stderr and len(done.stderr.splitlines()) == 1, done
    assert cluster.conclave("submit", "factorial", 10, env={"CONCLAVE_ACCESS": str(path)}).returncode == OK


# --- owners ---

def test_a_foreign_job_does_not_exist_X14(cluster):
    mine = json.loads(ok(cluster, "alice", "submit", "factorial", 30, "--json"))
    assert mine["owner"] == "alice"
    for command in ("show", "wait", "result", "cancel", "explain"):
        done = run(cluster, "bob", "job", command, mine["id"])
        assert done.returncode == NOT_FOUND and f"there is no job {mine['id']}" in done.stderr, (command, done)
    assert run(cluster, "bob", "job", "forget", mine["id"]).returncode == NOT_FOUND
    assert mine["id"] not in ok(cluster, "bob", "job", "list")
    assert mine["id"] in ok(cluster, "alice", "job", "list") and mine["id"] in cluster.ok("job", "list")
    assert ok(cluster, "alice", "job", "result", mine["id"]) == cluster.ok("job", "result", mine["id"])
    # By hand: no request opens it, whatever else it knows of it.
    number = harness.job_number(mine["id"])
    asker = Broker(cluster, cluster.wait_healthy()["coordinator"])
    try:
        for body in ({"type": "job_get"}, {"type": "job_trace"}, {"type": "job_explain"}, {"type": "job_cancel"},
                     {"type": "result_get", "offset": 0, "sha256": bytes.fromhex(mine["result"]["sha256"])}):
            assert asker.ask(public(cluster, "bob"), body | {"job": number})["code"] == "not_found", body
        assert asker.ask(public(cluster, "bob"), {"type": "job_forget", "jobs": [{"job": number}]})["forgotten"] == 0
    finally:
        asker.close()
    assert ok(cluster, "alice", "job", "show", mine["id"])


def test_who_watches_sees_jobs_and_no_results_X14(cluster):
    mine = json.loads(ok(cluster, "alice", "submit", "factorial", 20, "--json"))
    assert mine["result"]["text"] == "2432902008176640000"
    for seen in (json.loads(ok(cluster, "eve", "job", "show", mine["id"], "--json")),
                 next(row for row in json.loads(ok(cluster, "eve", "job", "list", "--json")) if row["id"] == mine["id"])):
        assert (seen["state"], seen["owner"], seen["result"]["digits"]) == ("done", "alice", 19)
        assert seen["result"]["text"] is None and seen["result"]["sha256"] is None and seen["result"]["head"] is None
    assert "result_get needs submit" in refused(cluster, "eve", "job", "result", mine["id"])
    assert "2432902008176640000" not in ok(cluster, "eve", "job", "show", mine["id"])


def test_a_key_of_one_owner_is_no_key_of_another_X14(cluster):
    """Neither what is computed nor what is paid is found, taken or blocked by somebody else's key."""
    def submit(name, n):
        return json.loads(ok(cluster, name, "submit", "factorial", n, "--key", "nightly", "--json"))
    first, second = submit("alice", 11), submit("bob", 12)
    assert first["id"] != second["id"] and (first["key"], second["key"]) == ("nightly", "nightly")
    assert submit("alice", 11)["id"] == first["id"] and submit("bob", 12)["id"] == second["id"]
    ok(cluster, "alice", "bank", "deposit", "paid@2", 5, "--key", "order")
    ok(cluster, "bob", "bank", "deposit", "paid@2", 5, "--key", "order")
    assert ok(cluster, "alice", "bank", "deposit", "paid@2", 5, "--key", "order").strip() == "5"
    assert cluster.ok("bank", "balance", "paid@2").strip() == "10"
    snaps = [ok(cluster, name, "progress", "snap", "--key", "nightly") for name in ("alice", "bob", "alice")]
    assert snaps[0] == snaps[2] != snaps[1]


def test_owners_outlive_their_coordinator_X14(cluster):
    mine = json.loads(ok(cluster, "alice", "submit", "factorial", 14, "--key", "lasting", "--json"))
    since, old = cluster.feed.mark(), cluster.wait_healthy()
    cluster.kill(cluster.nodes[old["coordinator"]])
    cluster.wait_next(old, since)
    assert run(cluster, "bob", "job", "show", mine["id"]).returncode == NOT_FOUND
    assert json.loads(ok(cluster, "alice", "job", "show", mine["id"], "--json"))["owner"] == "alice"
    assert json.loads(ok(cluster, "alice", "submit", "factorial", 14, "--key", "lasting", "--json"))["id"] == mine["id"]
    cluster.start_node(old["coordinator"])
    cluster.wait_healthy()


def test_without_keys_everything_is_everybodys(make_cluster):
    cluster = make_cluster(nodes=2, insecure=True).start()
    cluster.wait_healthy()
    job = cluster.submit(10)
    assert job["owner"] is None and cluster.json("job", "show", job["id"])["result"]["text"] == "3628800"
    assert not audits(cluster)


# --- lines ---

def test_every_change_leaves_a_line_X16(cluster):
    job = json.loads(ok(cluster, "bob", "submit", "factorial", 15, "--key", "told", "--json"))["id"]
    ok(cluster, "bob", "bank", "deposit", "told@2", 7)
    ok(cluster, "bob", "kv", "put", "colour", "secret-blue", "--node", 2)
    ok(cluster, "bob", "progress", "set", 1, 9)
    run(cluster, "alice", "job", "cancel", job)
    ok(cluster, "bob", "job", "forget", job)
    refused(cluster, "eve", "job", "cancel", job)
    for words in (("name=bob role=submit request=submit result=ok", f"job={job}", 'key="told" kind="factorial" spec="15"'),
                  ("name=bob role=submit request=bank_deposit result=ok", 'account="told" amount=7'),
                  ("name=bob role=submit request=kv_put result=ok", 'name="colour"'),
                  ("name=bob role=submit request=progress_set result=ok", "index=1 state=9"),
                  ("name=alice role=submit request=job_cancel result=not_found", f"job={job}"),
                  ("name=bob role=submit request=job_forget result=ok", f"jobs={job}"),
                  ("name=eve role=monitor request=job_cancel result=forbidden", f"job={job}")):
        lines = wait_for(lambda words=words: audits(cluster, *words), what=f"a line with {words}")
        assert len(lines) == 1, lines
    assert "secret-blue" not in log(cluster)

"""Keys on real processes: who is refused, that it is counted and changes nothing, and what a user with the wrong key is told
(X1, X2, X3, X5, X9, X11)."""
import json
import os
import pathlib
import resource
import shutil
import socket
import subprocess
import threading
import time

import msgpack
import pytest
import zmq
from zmq.utils import z85

import harness
import locks
import zmtp
from harness import BIN, OK, USAGE, ENVIRONMENT, UNREACHABLE, seconds, wait_for

KEY_REFUSED = 7
PLANES = {"control": 0, "channel": 1, "checkpoint": 2, "heartbeat": 3, "value": 4}
HALF_OPEN = 1000
KNOCKS_PER_S, KNOCKING_S = 200, 10


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    yield from harness.healthy(tmp_path_factory.mktemp("doors"), nodes=3)


def refused(cluster):
    """Connections refused for their keys, by all processes."""
    status = cluster.wait_served()
    return sum(row["refused"] for row in status["nodes"]) + sum(row["keys_refused"] for row in status["brokers"])


def knock(address, mine, server, frames, kind=zmq.DEALER, wait=0.6):
    """Connects with a key (a dictionary; None: with none) and says something. Returns whether the handshake succeeded, and an answer."""
    context = zmq.Context()
    peer = context.socket(kind)
    peer.linger = 0
    if mine:
        peer.curve_publickey, peer.curve_secretkey = mine["public"].encode(), mine["secret"].encode()
        peer.curve_serverkey = server.encode()
    monitor = peer.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
    if kind == zmq.SUB:
        peer.subscribe(b"")
    peer.connect(address)
    if kind == zmq.DEALER:
        peer.send_multipart(frames)
    admitted = bool(monitor.poll(1000 * seconds(wait)))
    answer = peer.recv_multipart() if admitted and peer.poll(1000 * seconds(wait)) else None
    peer.disable_monitor()
    monitor.close()
    context.destroy(0)
    return admitted, answer


def stranger():
    public, secret = zmq.curve_keypair()
    return {"public": public.decode(), "secret": secret.decode()}


def vote(src):
    return msgpack.packb({"type": "vote_request", "term": 1 << 30, "src": src, "last_index": 1 << 40, "last_term": 1 << 30})


def hello(src, dst, plane):
    return msgpack.packb({"type": "hello", "cluster": "conclave", "plane": plane, "src": src, "incarnation": 1 << 40, "dst": dst,
                          "connection": 1, "version": "x", "nodes": 3, "voters": 3})


def assert_same_term(cluster, before):
    after = cluster.wait_healthy()
    assert (after["term"], after["coordinator"]) == (before["term"], before["coordinator"])
    assert [n["incarnation"] for n in after["nodes"]] == [n["incarnation"] for n in before["nodes"]]
    assert cluster.ok("submit", "factorial", 10) == "10!=3628800\n"


def test_no_plane_of_a_node_admits_a_stranger_or_a_client_X1_X2(cluster):
    before, keys = cluster.wait_healthy(), cluster.locks
    cluster.ok("keys", "add", "alice", "--role", "submit", "--dir", keys.dir)
    server, count = keys.public_of_node(2), refused(cluster)
    for name, plane in PLANES.items():
        address = f"tcp://127.0.0.1:{cluster.node_port(2, plane)}"
        kind = zmq.SUB if name == "heartbeat" else zmq.DEALER
        for mine in (None, stranger(), keys.read(keys.admin), keys.read(keys.file("alice"))):
            admitted, _ = knock(address, mine, server, [vote(3)], kind)
            assert not admitted, (name, mine)
        if name not in ("control", "heartbeat"):
            assert not knock(address, keys.read(keys.broker()), server, [vote(3)])[0], name
        assert knock(address, keys.read(keys.node(3)), server, [b"nonsense"], kind)[0], f"a node is admitted at {name}"
    for port in (cluster.port, cluster.port + 1):
        for mine in (None, stranger(), keys.read(keys.node(1)), keys.read(keys.broker())):
            admitted, _ = knock(f"tcp://127.0.0.1:{port}", mine, keys.read(keys.admin)["brokers_public"],
                                [msgpack.packb({"type": "broker_get", "request": 1})])
            assert not admitted, (port, mine)
    wait_for(lambda: refused(cluster) >= count + 20, what="they are counted")
    assert_same_term(cluster, before)


def test_a_nodes_key_speaks_for_its_own_id_alone_X2(cluster):
    before, keys = cluster.wait_healthy(), cluster.locks
    count = cluster.rejected(2)
    for plane in ("control", "channel", "checkpoint", "value"):
        address = f"tcp://127.0.0.1:{cluster.node_port(2, PLANES[plane])}"
        admitted, answer = knock(address, keys.read(keys.node(3)), keys.public_of_node(2), [hello(1, 2, PLANES[plane])])
        assert admitted and answer is None
    wait_for(lambda: cluster.rejected(2) >= count + 4, what="HELLO of another node is counted")
    assert "HELLO of node 1 with the key of node3" in cluster.logs(40)
    # A node is no broker, and a broker no node.
    control = f"tcp://127.0.0.1:{cluster.node_port(2)}"
    ask = [b"client", keys.read(keys.admin)["public"].encode(), msgpack.packb({"type": "status_get", "request": 1})]
    assert knock(control, keys.read(keys.broker()), keys.public_of_node(2), ask)[1], "a broker's request is answered"
    assert not knock(control, keys.read(keys.node(3)), keys.public_of_node(2), ask)[1]
    assert not knock(control, keys.read(keys.broker()), keys.public_of_node(2), [hello(3, 2, 0)])[1]
    assert_same_term(cluster, before)


def test_the_routing_id_of_a_broker_gives_nobody_its_requests_X3(cluster):
    """Who takes routing ids that others have, or may get, mutes nobody."""
    before, keys, thieves = cluster.wait_healthy(), cluster.locks, []
    try:
        for number in range(1, 40):
            thief = zmq.Context.instance().socket(zmq.DEALER)
            thief.linger, thief.identity = 0, b"%d" % number
            locks.connect(thief, f"tcp://127.0.0.1:{cluster.port}")
            thief.send(msgpack.packb({"type": "broker_get", "request": number}))
            thieves.append(thief)
        assert all(thief.poll(1000 * seconds(5)) for thief in thieves)
        assert_same_term(cluster, before)
    finally:
        for thief in thieves:
            thief.close()


def timed(cluster, times):
    """Milliseconds until an answer, of so many requests on one connection; sorted."""
    dealer, took = harness.dealer_to(f"tcp://127.0.0.1:{cluster.port}"), []
    try:
        for number in range(times):
            began = time.monotonic()
            dealer.send(msgpack.packb({"type": "status_get", "request": number}))
            assert dealer.poll(1000 * seconds(10)), "no answer"
            dealer.recv_multipart()
            took.append(1000 * (time.monotonic() - began))
    finally:
        dealer.close()
    return sorted(took)


class Knocker(threading.Thread):
    """Handshakes with a wrong key, so many a second."""

    def __init__(self, port, server):
        super().__init__(daemon=True)
        self.port, self.server, self.done, self.over = port, server, 0, threading.Event()

    def run(self):
        context, mine, open_ = zmq.Context(), stranger(), []
        context.max_sockets = 4096
        began = time.monotonic()
        while not self.over.is_set():
            while self.done < (time.monotonic() - began) * KNOCKS_PER_S:
                peer = context.socket(zmq.DEALER)
                peer.linger, peer.reconnect_ivl = 0, -1
                peer.curve_publickey, peer.curve_secretkey = mine["public"].encode(), mine["secret"].encode()
                peer.curve_serverkey = self.server.encode()
                peer.connect(f"tcp://127.0.0.1:{self.port}")
                open_.append(peer)
                self.done += 1
                if len(open_) > KNOCKS_PER_S:
                    open_.pop(0).close()
            time.sleep(0.005)  # the pace, not a synchronisation
        for peer in open_:
            peer.close()
        context.term()


@pytest.mark.alone
def test_strangers_who_knock_delay_nobody_beyond_ten_times_X5(cluster):
    before, limits, raw = cluster.wait_healthy(), zmtp.raise_descriptors(), []
    idle = timed(cluster, 300)
    knockers = [Knocker(cluster.port, cluster.locks.read(cluster.locks.admin)["brokers_public"])]
    try:
        for _ in range(HALF_OPEN):
            raw.append(socket.create_connection(("127.0.0.1", cluster.port), timeout=5))
        greeting = zmtp.GREETING.replace(b"NULL\0", b"CURVE")
        for number, connection in enumerate(raw[:300]):
            # In the middle of a greeting, a command that is longer than any, one that is cut off.
            connection.sendall((greeting[:20], greeting + b"\x06" + b"\xff" * 8, greeting + b"\x04\xc8\x05HELLO")[number % 3])
        for knocker in knockers:
            knocker.start()
        took, until = [], time.monotonic() + KNOCKING_S
        while time.monotonic() < until:
            took += timed(cluster, 50)
        for knocker in knockers:
            knocker.over.set()
            knocker.join()
    finally:
        for connection in raw:
            connection.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    took.sort()
    p99 = took[int(len(took) * 0.99)], idle[int(len(idle) * 0.99)]
    print(f"p99 {p99[0]:.2f} ms beside strangers, {p99[1]:.2f} ms idle; {knockers[0].done} wrong keys")
    assert knockers[0].done > KNOCKS_PER_S * KNOCKING_S * 0.5, "too few knocked"
    assert p99[0] <= 10 * max(p99[1], 0.5)
    wait_for(lambda: refused(cluster) > 100, what="they are counted")
    assert_same_term(cluster, before)


# --- what a person is told ---

def quick(cluster, *arguments, **env):
    began = time.monotonic()
    done = cluster.conclave(*arguments, env=env)
    return done, time.monotonic() - began


class Listener:
    """Stands between a client and a port of this machine, and keeps what passes by."""

    def __init__(self, port):
        self.target, self.heard, self.server = port, bytearray(), socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client = self.server.accept()[0]
            except OSError:
                return
            other = socket.create_connection(("127.0.0.1", self.target))
            for source, to in ((client, other), (other, client)):
                threading.Thread(target=self.pass_on, args=(source, to), daemon=True).start()

    def pass_on(self, source, to):
        try:
            while part := source.recv(65536):
                self.heard += part
                to.sendall(part)
        except OSError:
            pass
        for end in (source, to):
            end.close()

    def close(self):
        self.server.close()


def test_who_listens_on_the_way_reads_nothing_X1(cluster, make_cluster):
    """Neither what is asked nor what is answered; without keys it is there to read, so the test would see it."""
    for it in (cluster, make_cluster(nodes=3, insecure=True).start()):
        it.wait_healthy()
        listener = Listener(it.port)
        try:
            done = it.conclave("submit", "factorial", 20, "--key", "telling-name", broker=f"tcp://127.0.0.1:{listener.port}")
            assert done.stdout == "20!=2432902008176640000\n", done
        finally:
            listener.close()
        for word in (b"telling-name", b"2432902008176640000", b"factorial"):
            assert (word in listener.heard) == (it is not cluster), word


def test_keys_are_made_for_their_owner_alone_and_replace_none_X9(cluster, tmp_path):
    made = tmp_path / "made"
    init = ["keys", "init", "--dir", made, "--nodes", 3, "--broker", "tcp://127.0.0.1:1"]
    cluster.ok(*init)
    cluster.ok("keys", "add", "alice", "--role", "submit", "--dir", made, env={"CONCLAVE_ACCESS": ""})
    files = {path: path.read_bytes() for path in made.rglob("*") if path.is_file()}
    assert {"access.json", "node1.json", "broker.json", "allowed.json", "alice.json"} <= {path.name for path in files}
    for path in [made, *made.rglob("*")]:
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path
    cluster.ok(*init)  # again
    assert {path: path.read_bytes() for path in files} == files


def test_a_wrong_key_is_told_from_a_dead_broker_at_once_X1(cluster, tmp_path):
    other = locks.Locks(BIN / "conclave", tmp_path / "other", cluster.port, 3, cluster.fronts, harness.clean_environment())
    other.forget()
    for command in (["submit", "factorial", 10], ["status"], ["monitor", "--count", 1], ["check"]):
        done, took = quick(cluster, *command, CONCLAVE_ACCESS=str(other.admin))
        assert done.returncode == KEY_REFUSED and took < seconds(1.5), (command, took, done)
        assert f"refused this key ({other.admin} of cluster {other.read(other.admin)['cluster']})" in done.stderr, done.stderr
    cluster.ok("keys", "add", "bob", "--role", "submit", "--dir", cluster.locks.dir)
    bob = str(cluster.locks.file("bob"))
    assert quick(cluster, "submit", "factorial", 10, CONCLAVE_ACCESS=bob)[0].stdout == "10!=3628800\n"
    done, took = quick(cluster, "monitor", "--count", 1, CONCLAVE_ACCESS=bob)
    assert done.returncode == KEY_REFUSED and "feed is closed" in done.stderr and took < seconds(1.5)
    cluster.ok("keys", "revoke", "bob", "--dir", cluster.locks.dir)
    done, took = quick(cluster, "submit", "factorial", 10, CONCLAVE_ACCESS=bob)
    assert done.returncode == KEY_REFUSED and took < seconds(1.5), done
    done, took = quick(cluster, "status", CONCLAVE_BROKER="tcp://127.0.0.1:1")
    assert done.returncode == UNREACHABLE and "no broker answers" in done.stderr


def test_a_request_on_an_old_connection_with_a_revoked_key_is_dropped(cluster):
    cluster.ok("keys", "add", "carol", "--role", "submit", "--dir", cluster.locks.dir)
    dealer = zmq.Context.instance().socket(zmq.DEALER)
    dealer.linger = 0
    cluster.locks.unlock(dealer, cluster.port, cluster.locks.file("carol"))
    dealer.connect(f"tcp://127.0.0.1:{cluster.port}")

    def answered():
        try:
            dealer.send(msgpack.packb({"type": "broker_get", "request": 1}), zmq.DONTWAIT)
        except zmq.Again:
            return False  # libzmq has given the refused connection up
        return bool(dealer.poll(1000 * seconds(0.3))) and dealer.recv_multipart()
    try:
        wait_for(answered, what="she is served")
        cluster.ok("keys", "revoke", "carol", "--dir", cluster.locks.dir)
        wait_for(lambda: not answered(), 2, "she is not served any more")
        assert not answered()
    finally:
        dealer.close()


def test_a_broker_without_keys_is_not_spoken_to(cluster, make_cluster):
    open_ = make_cluster(nodes=1, insecure=True).start()
    open_.wait_healthy()
    done, took = quick(cluster, "status", CONCLAVE_BROKER=open_.broker)
    assert done.returncode == KEY_REFUSED and "works without keys" in done.stderr and took < seconds(2), done
    done, took = quick(open_, "status", CONCLAVE_BROKER=cluster.broker)
    assert done.returncode == KEY_REFUSED and "requires a key" in done.stderr and took < seconds(2), done
    status = open_.status()
    assert status["nodes"][0]["insecure"] and status["brokers"][0]["insecure"]
    assert "keys         none (--insecure)" in open_.conclave("status").stdout
    assert "--insecure" in open_.logs(40)


def test_without_a_key_nothing_starts(cluster, tmp_path):
    for program, more in (("conclave-node", ["--id", "1", "--dir", tmp_path / "x"]), ("conclave-broker", [])):
        for bind in ("127.0.0.1", "0.0.0.0"):
            done = subprocess.run([str(w) for w in [BIN / program, "--bind", bind, "--port", 20000, *more]], capture_output=True,
                                  text=True, timeout=10, env=harness.clean_environment(), check=False)
            assert done.returncode == USAGE and "--access" in done.stderr and len(done.stderr.splitlines()) == 1, done
    done = subprocess.run([str(BIN / "conclave"), "status"], capture_output=True, text=True, cwd=tmp_path,
                          env=harness.clean_environment(), check=False)
    assert done.returncode == USAGE and "conclave up" in done.stderr


def test_key_files_that_cannot_be_trusted_are_refused_in_one_line_X9_X11(cluster, tmp_path):
    good = cluster.locks.admin.read_text(encoding="ascii")
    secret = json.loads(good)["secret"]
    bad = tmp_path / "access.json"

    def tried(text, mode=0o600):
        bad.unlink(missing_ok=True)
        bad.write_text(text, encoding="ascii")
        bad.chmod(mode)
        done = cluster.conclave("status", "--access", bad)
        assert secret not in done.stderr + done.stdout
        assert len(done.stderr.splitlines()) == 1 and str(bad) in done.stderr, done
        return done.returncode, done.stderr
    for mode in (0o640, 0o604, 0o620, 0o644):
        assert tried(good, mode)[0] == USAGE
    for text in ("", "{", good[:100], good.replace(secret, "x" * 40), good.replace('"admin"', '"king"'), "\0" * 1000, "x" * 100000):
        assert tried(text)[0] == USAGE, text
    code, said = tried(good.replace('"expires": null', '"expires": "2020-01-01T00:00:00.000Z"'))
    assert code == USAGE and "expired" in said
    bad.unlink()
    os.mkfifo(bad, 0o600)
    assert cluster.conclave("status", "--access", bad).returncode == USAGE
    node = cluster.locks.read(cluster.locks.node(1))
    assert cluster.conclave("status", "--access", cluster.locks.node(1)).returncode == USAGE
    # Of another cluster, beside a list that is not its own.
    other = tmp_path / "mixed"
    other.mkdir(mode=0o700)
    (other / "node1.json").write_text(json.dumps(node | {"cluster": "ffff"}), encoding="ascii")
    shutil.copy(cluster.locks.file("allowed"), other)
    (other / "node1.json").chmod(0o600)
    done = subprocess.run([str(w) for w in cluster.node_command(1, access=other / "node1.json", dir=tmp_path / "d")],
                          capture_output=True, text=True, timeout=10, env=harness.clean_environment(), check=False)
    assert done.returncode == USAGE and "of another cluster" in done.stderr, done


def test_a_directory_that_others_may_write_to_is_not_believed_X11(cluster, tmp_path):
    here = tmp_path / "deep" / "below"
    here.mkdir(parents=True)
    shutil.copytree(cluster.locks.dir, tmp_path / ".conclave")

    def status(**more):
        return subprocess.run([str(BIN / "conclave"), "status", "--broker", cluster.broker], capture_output=True, text=True,
                              cwd=here, env=harness.clean_environment(), check=False, **more)
    assert status().returncode == OK, "it is found above"
    for mode in (0o770, 0o707, 0o722):
        (tmp_path / ".conclave").chmod(mode)
        done = status()
        assert done.returncode == USAGE and "others may write" in done.stderr, done
    (tmp_path / ".conclave").chmod(0o700)
    if os.geteuid() == 0:
        os.chown(tmp_path / ".conclave", 12345, -1)
        done = status()
        assert done.returncode == USAGE and "belongs to user 12345" in done.stderr, done


def test_keys_are_in_no_log_command_line_answer_or_core_file_X9(make_cluster, tmp_path):
    pattern = pathlib.Path("/proc/sys/kernel/core_pattern").read_text(encoding="ascii").strip()
    cluster = make_cluster(nodes=3, log_level="debug")
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2) if os.geteuid() == 0 else None
    here = os.getcwd()
    os.chdir(tmp_path)
    try:
        cluster.start()
    finally:
        os.chdir(here)
    cluster.wait_healthy()
    secrets = [bytes(text, "ascii") for file in [cluster.locks.admin, *(cluster.locks.dir / "keys").iterdir()]
               for name, text in json.loads(file.read_text(encoding="ascii")).items() if "secret" in name]
    assert len(secrets) >= 7
    raw = [z85.decode(secret) for secret in secrets]
    told = [cluster.conclave(*words).stdout for words in (["status", "--json"], ["keys", "list", "--json", "--dir", cluster.locks.dir])]
    shown = "".join(told).encode() + b"".join(log.read_bytes() for log in cluster.dir.rglob("*.log"))
    for pid in harness.marked_pids(cluster.mark):
        shown += pathlib.Path(f"/proc/{pid}/cmdline").read_bytes() + pathlib.Path(f"/proc/{pid}/environ").read_bytes()
    assert not any(secret in shown for secret in secrets + raw)
    for file in (cluster.locks.dir / "keys").iterdir():
        assert file.stat().st_mode & 0o777 == 0o600
    assert (cluster.locks.dir / "keys").stat().st_mode & 0o777 == 0o700
    filters = {pathlib.Path(f"/proc/{p.pid}/coredump_filter").read_text().strip()
               for p in [*cluster.nodes.values(), *cluster.brokers.values()]}
    assert filters == {"00000010"}
    cluster.kill(cluster.nodes[2], harness.signal.SIGABRT)
    if pattern.startswith(("|", "/")) or harness.SANITIZED:
        return  # core files go elsewhere
    cores = list(tmp_path.glob("core*"))
    assert cores, "no core file was made"
    for core in cores:
        text = core.read_bytes()
        assert not any(secret in text for secret in secrets + raw), core


def test_new_keys_replace_old_ones_while_all_goes_on(make_cluster):
    cluster = make_cluster(nodes=3).start()
    before = cluster.wait_healthy()
    cluster.ok("keys", "rotate", "--dir", cluster.locks.dir, "--overlap", "1h")
    for node in (1, 2, 3):
        cluster.kill(cluster.nodes[node], harness.signal.SIGTERM)
        cluster.start_node(node)
        cluster.wait_healthy(20)
    cluster.kill(cluster.brokers[0], harness.signal.SIGTERM)
    cluster.start_broker()
    after = cluster.wait_healthy(20)
    assert after["term"] >= before["term"]
    assert cluster.ok("submit", "factorial", 10) == "10!=3628800\n"


def test_the_front_doors_key_is_replaced_while_all_goes_on(make_cluster, tmp_path):
    """A broker with the old key and one with the new run side by side, until all have their new files."""
    cluster = make_cluster(nodes=3, brokers=2)
    cluster.start_broker(0)
    for node in (1, 2, 3):
        cluster.start_node(node)
    cluster.wait_healthy()
    keys = cluster.locks
    cluster.ok("keys", "add", "alice", "--role", "submit", "--dir", keys.dir)
    old = tmp_path / "alice.json"
    shutil.copy(keys.file("alice"), old)
    before, first, second = keys.read(keys.file("front")), *(f"tcp://127.0.0.1:{front}" for front in cluster.fronts)
    done = cluster.conclave("keys", "rotate", "--front", "--dir", keys.dir, broker=second)
    assert done.returncode == OK and "new key of the front doors" in done.stdout, done
    cluster.start_broker(1)
    new, files = keys.read(keys.file("front")), [keys.admin, keys.node(1), keys.broker(0), keys.broker(1), keys.file("alice")]
    assert new["public"] != before["public"] and {keys.read(file)["brokers_public"] for file in files} == {new["public"]}
    assert {keys.read(keys.broker(n))["brokers_secret"] for n in (0, 1)} == {new["secret"]}
    assert keys.read(keys.admin)["brokers"] == keys.read(keys.file("alice"))["brokers"] == [second]
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in files)

    def asks(file, broker):
        return cluster.conclave("job", "list", "--access", file, broker=broker).returncode
    for file in (keys.admin, keys.file("alice")):
        wait_for(lambda f=file: asks(f, second) == OK, 10, "the new broker serves who has a new file")
        assert asks(file, first) == KEY_REFUSED
    assert asks(old, first) == OK and asks(old, second) == KEY_REFUSED
    cluster.kill(cluster.brokers[0], harness.signal.SIGTERM)
    cluster.start_broker(0)
    wait_for(lambda: asks(keys.file("alice"), first) == OK, 10, "it has the new key now")
    assert asks(old, first) == KEY_REFUSED
    for words in (["alice"], ["--overlap", "1x"]):
        assert cluster.conclave("keys", "rotate", "--front", *words, "--dir", keys.dir).returncode == USAGE


def test_no_two_handlers_and_a_broken_list_is_an_error_at_the_start_X1(cluster, tmp_path):
    """A process whose files would let it admit nobody, or everybody, does not start."""
    for damage in ("gone", "cut", "open"):
        place = tmp_path / damage
        shutil.copytree(cluster.locks.dir / "keys", place)
        allowed = place / "allowed.json"
        if damage == "gone":
            allowed.unlink()
        elif damage == "cut":
            allowed.write_text(allowed.read_text(encoding="ascii")[:200], encoding="ascii")
        else:
            allowed.chmod(0o666)
        for command in (cluster.node_command(1, access=place / "node1.json", dir=tmp_path / "d", port=20500),
                        cluster.broker_command(0, access=place / "broker.json", front=20600)):
            done = subprocess.run([str(w) for w in command], capture_output=True, text=True, timeout=10,
                                  env=harness.clean_environment(), check=False)
            assert done.returncode in (USAGE, ENVIRONMENT) and "allowed.json" in done.stderr, (damage, done)

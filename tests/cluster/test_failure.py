"""Issue 2: a worker killed in mid-job, SIGTERM "ends each within 2 s", idle use, a foreign client."""
import math
import os
import pathlib
import random
import signal
import subprocess
import sys
import textwrap
import time

import pytest

import harness
from harness import OK, cpu_seconds, seconds, wait_for


def workers_of(status):
    return [node["id"] for node in status["nodes"] if node["id"] != status["coordinator"]]


# --- workers that die ---

def test_a_worker_killed_in_mid_job_loses_no_job(make_cluster):
    cluster = make_cluster(delay="100ms").start()
    status = cluster.wait_healthy()
    client = cluster.start_conclave("submit", "factorial", 400, "--json")
    victim = workers_of(status)[0]
    cluster.feed.wait(lambda m: m["node"] == victim and m.get("operations", 0) > 0, 10,
                      "the victim has computed something")
    wait_for(lambda: cluster.status()["nodes"][victim - 1]["assigned"] > 0,
             what="something is assigned to the victim")
    cluster.kill(cluster.nodes[victim])
    out, err = client.communicate(timeout=seconds(30))
    assert client.returncode == OK, err
    job = harness.json.loads(out)
    assert job["result"]["text"] == str(math.factorial(400))
    assert job["operations"]["done"] == job["operations"]["total"]
    status = cluster.status()
    assert not status["nodes"][victim - 1]["alive"]
    assert all(node["assigned"] == 0 for node in status["nodes"])  # T3
    cluster.start_node(victim)
    row = cluster.wait_healthy()["nodes"][victim - 1]
    assert row["role"] == "worker" and row["boots"] == 2


def test_workers_killed_at_random_lose_no_job_and_change_no_result(make_cluster):
    cluster, generator = make_cluster(delay="20ms").start(), random.Random(3)
    status = cluster.wait_healthy()
    path = cluster.dir / "jobs"
    numbers = [generator.randrange(400) for _ in range(20)] + [3000]
    path.write_text("".join(f"factorial {n}\n" for n in numbers))
    client = cluster.start_conclave("submit", "--file", path)
    kills = 0
    while client.poll() is None and kills < 20:
        victim = generator.choice(workers_of(status))
        since = cluster.feed.mark()
        cluster.kill(cluster.nodes[victim])
        cluster.start_node(victim)
        cluster.feed.wait(lambda m, v=victim: m["node"] == v and m["type"] == "heartbeat", 10,
                          "it is back", since)
        kills += 1
    out, err = client.communicate(timeout=seconds(60))
    assert client.returncode == OK, err
    assert out == "".join(f"{n}!={math.factorial(n)}\n" for n in numbers)
    assert kills >= 5, f"only {kills} kills: the jobs were too short"


def test_a_stopped_worker_is_overtaken_and_returns(make_cluster):
    cluster = make_cluster(delay="50ms").start()
    status = cluster.wait_healthy()
    victim = workers_of(status)[0]
    client = cluster.start_conclave("submit", "factorial", 300)
    wait_for(lambda: cluster.status()["nodes"][victim - 1]["assigned"] > 0, what="it has work")
    cluster.nodes[victim].send_signal(signal.SIGSTOP)
    out, err = client.communicate(timeout=seconds(30))
    assert (client.returncode, out) == (OK, f"300!={math.factorial(300)}\n"), err
    cluster.nodes[victim].send_signal(signal.SIGCONT)
    assert cluster.wait_healthy()["nodes"][victim - 1]["boots"] == 1
    assert cluster.ok("submit", "factorial", 20) == f"20!={math.factorial(20)}\n"


def test_large_values_survive_the_death_of_who_holds_them(make_cluster):
    """Values over 64 KiB stay with the worker until the coordinator has fetched them."""
    cluster = make_cluster().start()
    status = cluster.wait_healthy()
    client = cluster.start_conclave("submit", "factorial", 1000000, "--json")
    # Whichever holds some first: who gets how many operations is up to the machine's other work.
    victim = cluster.feed.wait(lambda m: m.get("held", 0) > 0, 20, "a worker holds values")["node"]
    assert victim in workers_of(status) and client.poll() is None
    cluster.kill(cluster.nodes[victim])
    out, err = client.communicate(timeout=seconds(60))
    assert client.returncode == OK, err
    job = harness.json.loads(out)
    again = cluster.submit(1000000)
    assert again["id"] != job["id"] and again["result"] == job["result"]


# --- ending ---

def test_sigterm_ends_node_and_broker_within_2_s(make_cluster):
    cluster = make_cluster(delay="100ms").start()
    status = cluster.wait_healthy()
    cluster.start_conclave("submit", "factorial", 2000)
    wait_for(lambda: sum(n["assigned"] for n in cluster.status()["nodes"]) > 0, what="work")
    order = [cluster.nodes[status["coordinator"]], cluster.nodes[workers_of(status)[0]],
             cluster.brokers[0]]
    for process in order:  # a coordinator and a worker at work, and a broker with a waiting client
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(seconds(5)) == OK
        assert time.monotonic() - began < seconds(2)


def test_sigint_ends_them_too(make_cluster):
    cluster = make_cluster().start()
    cluster.wait_healthy()
    for process in (cluster.nodes[1], cluster.brokers[0]):
        process.send_signal(signal.SIGINT)
        assert process.wait(seconds(2)) == OK


@pytest.mark.parametrize("command", ["submit factorial 5000", "monitor --node 1"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_waiting_client_at_once(make_cluster, command, number):
    cluster = make_cluster(delay="10s").start()
    cluster.wait_healthy()
    client = cluster.start_conclave(*command.split())
    if command.startswith("submit"):
        wait_for(lambda: cluster.json("job", "list"), what="the job is there")
    else:
        client.stdout.readline()
    client.send_signal(number)
    began = time.monotonic()
    client.communicate(timeout=seconds(2))
    assert time.monotonic() - began < seconds(1)
    assert client.returncode in (128 + number, OK)


def test_the_feed_says_goodbye_to_nobody_but_others_notice_at_once(make_cluster):
    cluster = make_cluster().start()
    status = cluster.wait_healthy()
    victim, since = workers_of(status)[0], cluster.feed.mark()
    began = time.monotonic()
    cluster.kill(cluster.nodes[victim])
    told = cluster.feed.wait(lambda m: m.get("event") == "node_suspected" and
                             m.get("subject") == victim, 5, "it is suspected", since)
    assert told["node"] == status["coordinator"]
    assert told["heard"] - began < seconds(0.5)


# --- idle ---

def busy_seconds():
    """What the whole machine computed, in seconds of a core."""
    user, nice, system, *_ = map(int, pathlib.Path("/proc/stat").read_text().split()[1:4])
    return (user + nice + system) / os.sysconf("SC_CLK_TCK")


# MiB of memory. The pages of the libraries are shared by all processes of a machine; how many of them are resident is a
# matter of its kernel and of their versions: 9 MiB here, with keys.
OWN_MAX, RESIDENT_MAX = 12, 24


def memory_mib(pid):
    """Of its own, and all that is resident."""
    rows = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
    return [int(rows[name].split()[0]) / 1024 for name in ("RssAnon", "VmRSS")]


@pytest.mark.skipif(harness.SANITIZED, reason="sanitizers cost more")
def test_an_idle_node_uses_about_1_percent_of_a_core_at_most_and_12_MiB_of_its_own(make_cluster):
    cluster = make_cluster().start()
    cluster.wait_healthy()
    cluster.submit(200000)  # it has worked, and gave the memory back
    cluster.feed.close()    # nobody but the cluster itself listens
    pids = {f"node {i}": p.pid for i, p in cluster.nodes.items()}
    pids["broker"] = cluster.brokers[0].pid
    end = time.monotonic() + seconds(60)
    while too_much := {n: m for n, p in pids.items() if (m := memory_mib(p))[0] > OWN_MAX or m[1] > RESIDENT_MAX}:
        assert time.monotonic() < end, f"memory is not given back: {too_much}"
        time.sleep(0.1)
    # Caches and wake-ups cost more beside other work: only a window of a quiet machine is a measure, and machines
    # differ. Twice the 1 % that is aimed at is no slow day but a loop that does not sleep.
    for _ in range(6):
        before, busy = {n: cpu_seconds(p) for n, p in pids.items()}, busy_seconds()
        began = time.monotonic()
        time.sleep(6)  # the measured time itself, not a synchronisation
        took = time.monotonic() - began
        used = {n: 100 * (cpu_seconds(p) - before[n]) / took for n, p in pids.items()}
        others = 100 * (busy_seconds() - busy) / took - sum(used.values())
        print("beside", round(others), "% of other work", used)
        if max(used.values()) < 2:
            break
        if others < 20:
            raise AssertionError(f"an idle node uses too much: {used}")
    else:
        pytest.skip(f"the machine was never quiet; beside {others:.0f} % of other work: {used}")


# --- foreign clients, as docs/protocol.md shows them ---

SUBMITTER = textwrap.dedent("""
    import json, sys, uuid, msgpack, zmq
    dealer = zmq.Context().socket(zmq.DEALER)
    key = {k: v.encode() for k, v in json.load(open(sys.argv[2])).items() if "public" in k or k == "secret"}
    dealer.curve_publickey, dealer.curve_secretkey, dealer.curve_serverkey = map(key.get, ("public", "secret", "brokers_public"))
    dealer.connect(sys.argv[1])
    def ask(**request):
        dealer.send(msgpack.packb({"request": 1, **request}))
        return msgpack.unpackb(dealer.recv_multipart()[0])
    job = ask(type="submit", key=str(uuid.uuid4()), kind="factorial", spec="10")["jobs"][0]
    while job["state"] in ("queued", "running"):
        job = ask(type="job_get", job=job["job"], wait_ms=1000)["jobs"][0]
    print(job["text"])
    """)

SIGNER = textwrap.dedent("""
    import hashlib, json, struct, sys, time, msgpack, zmq
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from zmq.utils import z85
    dealer = zmq.Context().socket(zmq.DEALER)
    key = {k: v.encode() for k, v in json.load(open(sys.argv[2])).items() if isinstance(v, str)}
    dealer.curve_publickey, dealer.curve_secretkey, dealer.curve_serverkey = map(key.get, ("public", "secret", "brokers_public"))
    dealer.connect(sys.argv[1])
    def ask(*frames):
        dealer.send_multipart(frames)
        return msgpack.unpackb(dealer.recv_multipart()[0])
    body = msgpack.packb({"request": 1, "type": "snapshot_take"})
    told = ask(body, b"")  # an empty last frame: what is to be signed?
    whom = struct.pack("<3Q", told["node"], told["incarnation"], max(told.get("counter", 0) + 1, time.time_ns() // 1000))
    digest = hashlib.sha256(struct.pack("<Q", len(body)) + body).digest()
    signer = Ed25519PrivateKey.from_private_bytes(z85.decode(key["signing_secret"]))
    print(ask(body, whom + signer.sign(b"conclave request 1\\n" + key["cluster"] + key["public"] + whom + digest))["type"])
    """)

TAILER = textwrap.dedent("""
    import json, sys, msgpack, zmq
    sub = zmq.Context().socket(zmq.SUB)
    key = {k: v.encode() for k, v in json.load(open(sys.argv[2])).items() if "public" in k or k == "secret"}
    sub.curve_publickey, sub.curve_secretkey, sub.curve_serverkey = map(key.get, ("public", "secret", "brokers_public"))
    sub.subscribe(b"")
    sub.connect(sys.argv[1])
    for _ in range(20):
        message = msgpack.unpackb(sub.recv())
        print(message["node"], message["incarnation"], message["seq"], message["type"])
    """)


def run_python(text, *arguments):
    done = subprocess.run([sys.executable, "-c", text, *arguments], capture_output=True, text=True,
                          timeout=seconds(20), check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_dozen_lines_of_python_submit_a_job_and_tail_the_feed(cluster):
    assert len(SUBMITTER.strip().splitlines()) <= 12 and len(TAILER.strip().splitlines()) <= 12
    assert run_python(SUBMITTER, f"tcp://127.0.0.1:{cluster.port}", str(cluster.locks.admin)) == "3628800\n"
    assert run_python(SIGNER, f"tcp://127.0.0.1:{cluster.port}", str(cluster.locks.admin)) == "snapshot\n"
    lines = run_python(TAILER, f"tcp://127.0.0.1:{cluster.port + 1}", str(cluster.locks.admin)).splitlines()
    assert len(lines) == 20
    assert {line.split()[0] for line in lines} <= set("123456")

"""Keys whose outcomes are long forgotten: no retry is executed a second time, by real nodes, over kills and restarts."""
import msgpack
import pytest

import harness
from harness import NOT_FOUND, OK, seconds, wait_for

KEPT_CHANGES = 65536  # LEDGER_KEYS_MAX
KEPT_JOBS = 10000     # JOBS_KEPT_MAX
KEPT_SNAPS = 1000     # SNAP_KEYS_MAX


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    yield from harness.healthy(tmp_path_factory.mktemp("keys"), nodes=3)


def pour(cluster, bodies, window=256):
    """Asks for all of them, many on their way at once; returns how many answers were of which type."""
    dealer, sent, counts = harness.dealer_to(cluster.broker), 0, {}
    bodies = iter(bodies)
    try:
        open_requests = {}
        while True:
            while len(open_requests) < window:
                body = next(bodies, None)
                if body is None:
                    break
                sent += 1
                open_requests[sent] = body
                dealer.send(msgpack.packb(body | {"request": sent}))
            if not open_requests:
                return counts
            assert dealer.poll(seconds(20) * 1000), "no answer"
            answer = msgpack.unpackb(dealer.recv())
            body = open_requests.pop(answer["request"])
            if answer["type"] == "error" and answer["code"] in ("busy", "unavailable"):
                sent += 1
                open_requests[sent] = body
                dealer.send(msgpack.packb(body | {"request": sent}))
                continue
            kind = answer.get("code", answer["type"])
            counts[kind] = counts.get(kind, 0) + 1
    finally:
        dealer.close()


def open_session(cluster, node=0):
    answer, _ = harness.request(cluster.broker, {"type": "session_open", "request": 1, "node": node})
    assert answer["type"] == "session", answer
    return lambda number: f"session-{answer['session']:016x}-{answer['token']:016x}-{number}"


def forgotten(cluster, *arguments):
    """True when the command is refused because its key is forgotten."""
    done = cluster.conclave(*arguments)
    assert done.returncode == NOT_FOUND and "is forgotten" in done.stderr, (arguments, done)
    return True


def restart_all(cluster):
    for node in list(cluster.nodes):
        cluster.kill(cluster.nodes[node])
    for node in sorted(cluster.nodes):
        cluster.start_node(node)
    cluster.wait_healthy(30)


def test_a_retry_after_very_many_requests_moves_no_money_R29(cluster):
    cluster.ok("bank", "deposit", "alice@1", 1000)
    cluster.ok("bank", "deposit", "bob@1", 1)
    key = open_session(cluster, 1)
    old = ("bank", "transfer", "alice@1", "bob@1", 100, "--key")
    assert cluster.ok(*old, "order-17").strip() == "900"
    assert cluster.ok(*old, key(1)).strip() == "800"
    assert cluster.ok(*old, key(1)).strip() == "800"
    counts = pour(cluster, ({"type": "bank_deposit", "node": 1, "account": "carol", "amount": 1, "key": f"free-{i}"}
                            for i in range(KEPT_CHANGES + 4096)))
    assert counts == {"bank_account": KEPT_CHANGES + 4096}
    for _ in range(2):
        for one in ("order-17", key(1), "free-1"):
            assert forgotten(cluster, *old, one)
        assert cluster.ok("bank", "balance", "alice@1").strip() == "800"
        assert cluster.ok("bank", "balance", "bob@1").strip() == "201"
        cluster.kill(cluster.nodes[1])
        cluster.start_node(1)
        cluster.wait_healthy(30)
    assert cluster.ok(*old, key(2)).strip() == "700", "the session goes on"


def test_old_jobs_and_snaps_are_not_done_again_R29(cluster):
    key = open_session(cluster)
    first = cluster.json("submit", "--json", "--no-wait", "factorial", 5, "--key", "job-1")["id"]
    cluster.ok("submit", "--no-wait", "factorial", 6, "--key", key(1))
    taken = int(cluster.ok("progress", "snap", "--key", "snap-1"))
    counts = pour(cluster, ({"type": "progress_snap", "key": f"snap-{i}"} for i in range(2, KEPT_SNAPS + 2)))
    assert counts == {"progress": KEPT_SNAPS}
    counts = pour(cluster, ({"type": "submit", "key": f"job-{i}", "kind": "factorial", "spec": "1"}
                            for i in range(2, KEPT_JOBS + 20)))
    assert counts == {"job": KEPT_JOBS + 18}
    wait_for(lambda: cluster.conclave("job", "show", first).returncode == NOT_FOUND, 60, "the first job is forgotten")
    for again in (cluster.kill_coordinator, lambda: restart_all(cluster), lambda: None):
        assert forgotten(cluster, "submit", "factorial", 5, "--key", "job-1")
        assert forgotten(cluster, "submit", "factorial", 6, "--key", key(1))
        assert forgotten(cluster, "progress", "snap", "--key", "snap-1")
        again()
        cluster.wait_served(30)
    assert int(cluster.ok("progress", "snap")) == taken + KEPT_SNAPS + 1, "no snap was taken twice"
    assert cluster.conclave("submit", "factorial", 7, "--key", key(2)).returncode == OK, "the session goes on"
    assert cluster.conclave("submit", "factorial", 7, "--key", "session-1-2-3").returncode == OK, "a free key"
    unknown = "session-00000000000000ff-00000000000000ff-1"
    assert forgotten(cluster, "submit", "factorial", 7, "--key", unknown), "nobody opened it"


def test_jobs_of_a_file_have_keys_of_one_session(cluster, tmp_path):
    jobs = tmp_path / "jobs"
    jobs.write_text("".join(f"factorial {n}\n" for n in range(300)))
    done = cluster.conclave("submit", "--json", "--file", jobs)
    rows = [harness.json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == OK and len(rows) == 300
    keys = [row["key"] for row in rows]
    assert len({key.rpartition("-")[0] for key in keys}) == 1 and keys[0].startswith("session-")
    assert [int(key.rpartition("-")[2]) for key in keys] == list(range(1, 301))

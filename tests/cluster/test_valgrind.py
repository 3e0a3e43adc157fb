"""Issue 2: "valgrind finds no leak in a node, a broker or a client that started, worked and ended on
SIGTERM". Slow, so only when CONCLAVE_VALGRIND is set."""
import os
import shutil
import signal

import pytest

import harness
from harness import OK, wait_for

pytestmark = [
    pytest.mark.skipif(not os.environ.get("CONCLAVE_VALGRIND"), reason="CONCLAVE_VALGRIND is not set"),
    pytest.mark.skipif(not shutil.which("valgrind"), reason="valgrind is not installed"),
    pytest.mark.skipif(harness.SANITIZED, reason="valgrind and sanitizers exclude each other"),
]

# Operators of the allocator that valgrind does not stand in for call free(): no mismatch is libzmq's.
VALGRIND = ["valgrind", "--quiet", "--show-mismatched-frees=no", "--leak-check=full",
            "--show-leak-kinds=definite,indirect", "--errors-for-leak-kinds=definite,indirect", "--error-exitcode=99"]


def assert_clean(process, log):
    process.send_signal(signal.SIGTERM)
    code = process.wait(60)
    text = log.read_text()
    assert code != 99 and "== " not in text, text
    return code


def test_a_node_a_broker_and_a_client_leak_nothing(make_cluster):
    cluster = make_cluster(nodes=3, election_timeout="5s")
    for node in (1, 2, 3):
        cluster.nodes[node] = cluster.spawn(f"node{node}", *VALGRIND, *cluster.node_command(node))
    cluster.brokers[0] = cluster.spawn("broker0", *VALGRIND,
                                       *cluster.broker_command(0, silence="5s"))
    cluster.wait_healthy(100)
    for n in (10, 5000, 60000):  # small, many operations, values on the value plane
        done = harness.subprocess.run(
            VALGRIND + [str(harness.BIN / "conclave"), "submit", "factorial", str(n), "--json"],
            capture_output=True, text=True, timeout=100, env=cluster.environment(), check=False)
        assert done.returncode == OK and "== " not in done.stderr, done.stderr
    harness.request(f"tcp://127.0.0.1:{cluster.port}", {"type": "nonsense"}, timeout=30)
    waiting = cluster.spawn("client", *VALGRIND, harness.BIN / "conclave", "monitor")
    wait_for(lambda: "heartbeat" in (cluster.dir / "client.log").read_text(), 60, "it monitors")
    assert assert_clean(waiting, cluster.dir / "client.log") in (OK, 143)
    cluster.start_conclave("submit", "factorial", "100000", "--no-wait").wait(60)
    for node, process in cluster.nodes.items():  # in mid-job
        assert assert_clean(process, cluster.dir / f"node{node}.log") == OK
    assert assert_clean(cluster.brokers[0], cluster.dir / "broker0.log") == OK

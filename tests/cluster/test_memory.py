"""A limit on memory (a control group): bounds keep a broker below it whatever clients do; a node that is killed for it
costs the others nothing."""
import os
import pathlib
import sys

import pytest

import harness
from harness import SANITIZED, memory, wait_for
from test_broker_memory import Deaf, flood, press

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "chaos"))
import memory as groups  # noqa: E402

MIB = 1 << 20
CLIENTS = 30
BROKER_LIMIT = 160 * MIB  # BROKER_WAITING_BYTES, what sockets of the system hold, and the process

pytestmark = [pytest.mark.alone,
              pytest.mark.skipif(groups.why_not() is not None, reason=str(groups.why_not())),
              pytest.mark.skipif(SANITIZED, reason="sanitizers keep what is freed")]


@pytest.fixture
def group():
    it = groups.Group(f"conclave-limits-{os.getpid()}")
    yield it
    it.close()


def test_a_broker_with_little_memory_outlives_clients_that_never_read(make_cluster, group):
    cluster = make_cluster(nodes=3).start()
    cluster.wait_healthy()
    job = harness.job_number(cluster.submit(150000)["id"])
    broker = cluster.brokers[0]
    group.add(broker.pid)
    group.limit(BROKER_LIMIT)
    deaf = [Deaf(cluster.broker) for _ in range(CLIENTS)]
    try:
        flood(deaf, job)
        press(deaf, job, cluster)
        assert cluster.ok("submit", "factorial", 10) == "10!=3628800\n"
    finally:
        for it in deaf:
            it.close()
    assert broker.poll() is None and group.counts()["killed"] == 0, group.counts()
    print(f"broker: {memory(broker) >> 20} MiB at the end, limit {BROKER_LIMIT >> 20}; {group.counts()}")


def test_a_node_that_is_killed_for_its_memory_costs_the_others_nothing(make_cluster, group):
    cluster = make_cluster(nodes=3).start()
    status = cluster.wait_healthy()
    victim = status["coordinator"] % 3 + 1
    process = cluster.nodes[victim]
    group.add(process.pid)
    group.limit(12 * MIB)
    job = cluster.start_conclave("submit", "factorial", 1_000_000, "--output", "digits")
    wait_for(lambda: process.poll() is not None, 40, "the kernel kills it")
    assert process.returncode == -9 and group.counts()["killed"] >= 1
    assert cluster.ok("submit", "factorial", 11) == "11!=39916800\n"
    cluster.start_node(victim)  # without the limit
    assert job.wait(harness.seconds(60)) == harness.OK
    after = cluster.wait_healthy(20)
    assert after["term"] == status["term"]

"""Values beyond --memory-limit are on the disks of the workers that hold them, and the digits are right. T22 of the statements."""
import json
import signal

from harness import OK, seconds, wait_for
from test_disk import small_disks  # noqa: F401  a fixture

JOB = ("pi", "400000")  # its values have several consumers, and some hundreds of KiB
LIMIT = "256K"


def spilled_files(cluster):
    return [path for path in cluster.dir.glob("node*/values/*.spilled")]


def spills(message):
    return message.get("type") == "heartbeat" and message.get("spilled_bytes", 0) > 0


def digits(cluster):
    done = cluster.conclave("submit", *JOB, "--json", "--timeout", "2m", timeout=150)
    assert done.returncode == OK, done.stderr
    return json.loads(done.stdout)["result"]["sha256"]


def reference(make_cluster):
    cluster = make_cluster(nodes=3).start()
    cluster.wait_healthy(20)
    return digits(cluster)


def test_what_is_beyond_the_limit_is_on_disk_and_the_digits_are_right_T22(make_cluster):
    expected = reference(make_cluster)
    cluster = make_cluster(nodes=4, memory_limit=LIMIT).start()
    cluster.wait_healthy(20)
    since = cluster.feed.mark()
    assert digits(cluster) == expected
    cluster.feed.wait(spills, 5, "a node has spilled", since=since)
    wait_for(lambda: not spilled_files(cluster), 10, "files of spilled values are gone with the job")
    assert not any(node["spilled_bytes"] for node in cluster.status()["nodes"])


def test_a_node_that_had_spilled_is_killed_T22(make_cluster):
    expected = reference(make_cluster)
    cluster = make_cluster(nodes=5, memory_limit=LIMIT).start()
    cluster.wait_healthy(20)
    since = cluster.feed.mark()
    client = cluster.start_conclave("submit", *JOB, "--json", "--timeout", "2m")
    node = cluster.feed.wait(spills, 30, "a node has spilled", since=since)["node"]
    cluster.nodes[node].send_signal(signal.SIGKILL)
    cluster.nodes[node].wait()
    cluster.start_node(node)
    out, err = client.communicate(timeout=seconds(120))
    assert client.returncode == OK, err
    assert json.loads(out)["result"]["sha256"] == expected
    wait_for(lambda: not spilled_files(cluster), 10, "the next start has removed them")


def test_a_disk_without_room_leaves_values_in_memory_and_status_says_so_T22(make_cluster, small_disks):  # noqa: F811
    expected = reference(make_cluster)
    cluster = make_cluster(nodes=4, memory_limit=LIMIT)
    small_disks(cluster, [1, 2, 3, 4])  # smaller than what is left for other things
    cluster.start().wait_healthy(20)
    since = cluster.feed.mark()
    client = cluster.start_conclave("submit", *JOB, "--json", "--timeout", "2m")
    told = cluster.feed.wait(lambda m: m.get("type") == "heartbeat" and m.get("unspillable"), 30, "a disk has no room", since=since)
    assert not told.get("spilled_bytes")
    out, err = client.communicate(timeout=seconds(120))
    assert client.returncode == OK, err
    assert json.loads(out)["result"]["sha256"] == expected

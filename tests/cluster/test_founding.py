"""A cluster is founded once, an empty disk is not a new cluster, and a node is not there twice."""
import pathlib
import random
import shutil
import signal
import subprocess
import tarfile

import pytest

from harness import factorial_digits, FAILED, OK, UNREACHABLE, USAGE, seconds, wait_for


def kill_all(cluster, nodes):
    for node in nodes:
        cluster.nodes[node].kill()
    for node in nodes:
        cluster.nodes[node].wait()


def wipe(cluster, node):
    shutil.rmtree(cluster.dir / f"node{node}")


def check_text(cluster):
    done = cluster.conclave("check")
    return done.returncode, done.stdout + done.stderr


def wait_text(cluster, words, deadline=10):
    def said():
        code, text = check_text(cluster)
        return text if code == UNREACHABLE and words in text else None
    return wait_for(said, deadline, f"check says '{words}'")


def admitted(cluster, node):
    def counts():
        for message in reversed(cluster.feed.messages):
            if message["type"] == "heartbeat" and message["node"] == node:
                return message.get("voter")
        return False
    return counts


def nobody_serves(cluster, since, for_s=3):
    """Nobody serves for that long: what is waited for is a heartbeat that must not come."""
    with pytest.raises(AssertionError):
        cluster.feed.wait(lambda m: m.get("serving"), for_s, "somebody serves", since)


# --- wiped disks ---------------------------------------------------------------------------------

def test_a_wiped_disk_does_not_help_to_elect_an_empty_log_R31(make_cluster):
    """Two of three have a job, both die, one is wiped and comes back beside the third."""
    cluster = make_cluster(nodes=3).start()
    cluster.wait_healthy()
    third = next(n for n in (1, 2, 3) if n != cluster.status()["coordinator"])
    keeper, wiped = [n for n in (1, 2, 3) if n != third]
    cluster.kill(cluster.nodes[third])
    job = cluster.submit(10, "--key", "first")
    kill_all(cluster, [keeper, wiped])
    wipe(cluster, wiped)
    since = cluster.feed.mark()
    cluster.start_node(wiped)
    cluster.start_node(third)
    nobody_serves(cluster, since)
    cluster.start_node(keeper)
    cluster.wait_healthy(20)
    assert cluster.json("job", "show", job["id"]) == job
    again = cluster.submit(10, "--key", "first")
    assert again["id"] == job["id"]
    wait_for(admitted(cluster, wiped), 10, "the wiped disk is admitted")


@pytest.mark.parametrize("nodes, lost", [(3, 2), (5, 3)])
def test_a_wiped_majority_serves_nothing_R32(make_cluster, nodes, lost):
    cluster = make_cluster(nodes=nodes).start()
    cluster.wait_healthy()
    cluster.submit(10)
    kill_all(cluster, list(cluster.nodes))
    for node in range(1, lost + 1):
        wipe(cluster, node)
    since = cluster.feed.mark()
    for node in range(1, nodes + 1):
        cluster.start_node(node)
    wait_text(cluster, f"only {nodes - lost} with a disk that counts")
    nobody_serves(cluster, since)
    assert cluster.conclave("init").returncode == FAILED


@pytest.mark.parametrize("nodes, lost", [(3, [1]), (3, [3]), (5, [1, 2]), (5, [2, 4])])
def test_a_wiped_minority_heals_under_load_R31(make_cluster, nodes, lost):
    cluster = make_cluster(nodes=nodes).start()
    cluster.wait_healthy()
    first = cluster.submit(50, "--key", "before")
    load = cluster.start_conclave("submit", "factorial", 3000)
    kill_all(cluster, lost)
    for node in lost:
        wipe(cluster, node)
    since = cluster.feed.mark()
    for node in lost:
        cluster.start_node(node)
    for node in lost:
        cluster.feed.wait(lambda m, node=node: m["node"] == node and m.get("voter"), 30,
                          f"node {node} is admitted", since)
    assert load.wait(seconds(60)) == OK
    # What was wiped counts: the others, as many as were wiped, may go now.
    cluster.wait_healthy()
    others = [n for n in range(1, nodes + 1) if n not in lost][:len(lost)]
    kill_all(cluster, others)
    assert cluster.submit(50, "--key", "before")["id"] == first["id"]


# --- founding ------------------------------------------------------------------------------------

def test_a_missing_voter_is_named_and_init_founds_without_it_R30(make_cluster):
    cluster = make_cluster(nodes=6)
    cluster.start(random.sample([1, 2, 3, 5, 6], 5))
    wait_text(cluster, "not founded: node 4 has not been heard from yet")
    # Whoever is asked may have heard less than the one that said so.
    done = wait_for(lambda: (d := cluster.conclave("init", "--json")).returncode == OK and d, 20, "it is founded")
    assert "node 4 has not been heard from yet" in done.stdout
    assert cluster.submit(10)["state"] == "done"
    again = cluster.conclave("init")
    assert again.returncode == FAILED and "founded already" in again.stderr
    cluster.start_node(4)
    wait_for(admitted(cluster, 4), 20, "node 4 is admitted")
    cluster.wait_healthy()


def test_init_needs_a_majority_R30(make_cluster):
    cluster = make_cluster(nodes=3)
    cluster.start([2])
    wait_text(cluster, "not founded: node 1 has not been heard from yet, node 3 has not been heard from yet")
    done = cluster.conclave("init")
    assert done.returncode == UNREACHABLE and "2 are needed" in done.stderr


@pytest.mark.parametrize("seed", range(3))
def test_kills_while_it_is_founded_leave_a_cluster_that_founds_R30(make_cluster, seed):
    """Whoever founds is killed when somebody first tells of the founding, and so are others."""
    cluster = make_cluster(nodes=3)
    dice = random.Random(seed)
    cluster.start(dice.sample([1, 2, 3], 3))
    cluster.feed.wait(lambda m: m.get("event") == "founded" or m.get("cluster_id"), 20,
                      "somebody founds")
    victims = [1] + dice.sample([2, 3], seed % 2)
    kill_all(cluster, victims)
    for node in victims:
        cluster.start_node(node)
    cluster.wait_healthy(20)
    assert cluster.submit(10)["state"] == "done"
    ids = {m["cluster_id"] for m in cluster.feed.messages[-20:]
           if m["type"] == "heartbeat" and m.get("cluster_id")}
    assert len(ids) == 1


# --- stores know their size ----------------------------------------------------------------------

def test_a_store_keeps_nodes_voters_and_id_R33(make_cluster):
    cluster = make_cluster(nodes=3).start()
    cluster.wait_healthy()
    cluster.kill(cluster.nodes[3])
    for options, words in (({"nodes": 2}, "3 nodes; --nodes says 2"),
                           ({"nodes": 5}, "3 nodes; --nodes says 5"),
                           ({"voters": 1}, "3 voters; --voters says 1"),
                           ({"id": 1}, "belongs to node 3, not to node 1")):
        command = cluster.node_command(3, dir=cluster.dir / "node3", **options)
        done = subprocess.run([str(a) for a in command], capture_output=True, text=True,
                              env=cluster.environment(), timeout=seconds(10), check=False)
        assert done.returncode == USAGE, (options, done.stderr)
        assert words in done.stderr, (options, done.stderr)
    command = [str(a) for a in cluster.node_command(3)]
    at = command.index("--nodes")
    cluster.nodes[3] = cluster.spawn("node3", *command[:at], *command[at + 2:])  # from the store
    cluster.wait_healthy()


# --- doubled nodes -------------------------------------------------------------------------------

def test_a_second_process_of_an_id_ends_and_the_first_is_not_harmed_R33(make_cluster):
    cluster = make_cluster(nodes=3).start()
    before = cluster.wait_healthy()
    node = before["coordinator"]
    since = cluster.feed.mark()
    double = cluster.spawn("double", *cluster.node_command(
        node, dir=cluster.dir / "double", bind="127.0.0.2", peers="127.0.0.1,127.0.0.1,127.0.0.1"))
    try:
        assert double.wait(seconds(15)) == USAGE
    finally:
        if double.poll() is None:
            double.send_signal(signal.SIGKILL)
            double.wait()
    text = (cluster.dir / "double.log").read_text(encoding="utf-8")
    assert f"node {node} of this cluster runs already (pid {cluster.nodes[node].pid} on " in text
    after = cluster.wait_healthy()
    assert (after["coordinator"], after["term"]) == (node, before["term"])
    assert not [m for m in cluster.feed.messages[since:] if m.get("event") == "node_suspected"]
    cluster.submit(10)


# --- stores of the format before ------------------------------------------------------------------

def unpack_format_2(cluster):
    with tarfile.open(pathlib.Path(__file__).parent / "data/format2.tar.gz") as archive:
        archive.extractall(cluster.dir)


def test_directories_of_the_former_format_go_on_with_all_they_had(make_cluster):
    cluster = make_cluster(nodes=3)
    unpack_format_2(cluster)
    cluster.start()
    cluster.wait_healthy()
    jobs = {job["key"]: job for job in cluster.json("job", "list")}
    assert set(jobs) == {"ten", "thousand"} and all(j["state"] == "done" for j in jobs.values())
    assert cluster.submit(10, "--key", "ten")["id"] == jobs["ten"]["id"]
    assert cluster.ok("job", "result", jobs["thousand"]["id"]).strip() == factorial_digits(1000)
    assert cluster.ok("progress", "get", 1).strip() == "42"
    assert cluster.ok("bank", "balance", "alice@1").strip() == "70"
    assert cluster.ok("bank", "balance", "bob@2").strip() == "37"
    # They know their cluster now, and one that is wiped is admitted.
    cluster.kill(cluster.nodes[2])
    wipe(cluster, 2)
    since = cluster.feed.mark()
    cluster.start_node(2)
    cluster.feed.wait(lambda m: m["node"] == 2 and m.get("voter"), 30, "node 2 is admitted", since)


def test_a_migrated_store_is_of_its_size_R33(make_cluster):
    cluster = make_cluster(nodes=3)
    unpack_format_2(cluster)
    cluster.start()
    cluster.wait_healthy()
    cluster.kill(cluster.nodes[1])
    command = [str(a) for a in cluster.node_command(1, nodes=5)]
    done = subprocess.run(command, capture_output=True, text=True, env=cluster.environment(),
                          timeout=seconds(10), check=False)
    assert done.returncode == USAGE and "3 nodes; --nodes says 5" in done.stderr

"""Stores that are damaged, at a start and while a node runs: one line, exit code 8, and a wiped node heals. X11, R23."""
import math
import os
import random
import shutil

import pytest

import harness
from harness import ENVIRONMENT, wait_for

PAGE = 4096


def refused(cluster, node):
    """Starts a node that must refuse its store; returns its last line."""
    process = cluster.start_node(node)
    assert process.wait(harness.seconds(20)) == ENVIRONMENT
    log = (cluster.dir / f"node{node}.log").read_text()
    assert "Sanitizer" not in log
    return log.splitlines()[-1]


def wipe_and_heal(cluster, node):
    shutil.rmtree(cluster.dir / f"node{node}")
    cluster.start_node(node)
    cluster.wait_healthy(20)
    assert cluster.submit(34)["result"]["text"] == str(math.factorial(34))
    seen = []

    def equal():
        seen[:] = [(row["id"], row["applied"]) for row in cluster.status()["nodes"]]
        return len({applied for _, applied in seen}) == 1
    try:
        wait_for(equal, 20)
    except AssertionError:
        pytest.fail(f"the wiped node {node} has not caught up: {seen}")


@pytest.fixture
def busy(make_cluster):
    """Three nodes with something in their stores; node 1 is stopped."""
    cluster = make_cluster(nodes=3).start()
    cluster.wait_healthy()
    for n in range(900, 920):
        cluster.submit(n)
    cluster.kill(cluster.nodes[1])
    cluster.wait_served()
    return cluster


def test_a_random_page_is_refused_or_does_not_matter_X11(busy):
    data = busy.dir / "node1" / "store" / "data.mdb"
    whole, pick, named = data.read_bytes(), random.Random(15), 0
    for _ in range(12):
        page = pick.randrange(len(whole) // PAGE)
        data.write_bytes(whole[:page * PAGE] + pick.randbytes(PAGE) + whole[(page + 1) * PAGE:])
        process = busy.start_node(1)
        log = busy.dir / "node1.log"
        mark = log.stat().st_size
        wait_for(lambda: process.poll() is not None or "started: incarnation" in log.read_text()[mark:], 20,
                 "it runs or refuses")
        if process.poll() is None:  # the page was free
            busy.kill(process)
            whole = data.read_bytes()
            continue
        assert process.returncode == ENVIRONMENT, log.read_text()[mark:]
        last = log.read_text().splitlines()[-1]
        assert str(data) in last and "damaged" in last and "empty one" in last, last
        named += 1
    assert named >= 3
    wipe_and_heal(busy, 1)
    assert busy.submit(33)["result"]["text"] == str(math.factorial(33))


@pytest.mark.parametrize("what", ["empty", "missing", "cut off"])
def test_an_empty_or_missing_store_is_no_new_one_X11(busy, what):
    data = busy.dir / "node1" / "store" / "data.mdb"
    if what == "missing":
        data.unlink()
    else:
        os.truncate(data, 0 if what == "empty" else data.stat().st_size // PAGE // 2 * PAGE)
    last = refused(busy, 1)
    assert str(data) in last and ("is missing" if what == "missing" else "damaged") in last, last
    assert not data.exists() if what == "missing" else True
    wipe_and_heal(busy, 1)


# What every file of a node's directory is: lost or emptied, the node refuses with these words, or (None) heals.
IS_GONE, IS_DAMAGED = ("is missing", "put it back", "an empty one", "conclave recover"), ("damaged", "an empty one")
PARTS = {"store": (IS_GONE, None), "store/data.mdb": (IS_GONE, IS_DAMAGED), "values": (None, None),
         "commands": (None, None), "lock": (None, None)}


def start_or_refuse(cluster, node):
    """Starts a node and waits until it serves or has ended; returns the process and what it wrote since."""
    log = cluster.dir / f"node{node}.log"
    mark = log.stat().st_size
    process = cluster.start_node(node)
    wait_for(lambda: process.poll() is not None or "started: incarnation" in log.read_text()[mark:], 20,
             "it runs or refuses")
    return process, log.read_text()[mark:]


def part_of(path, top):
    """The row of PARTS for a file: the larger values are one kind, and so is what commands leave."""
    name = str(path.relative_to(top))
    kind = name.split("/")[0]
    return PARTS[kind] if kind in ("values", "commands") else PARTS[name]


def test_each_part_of_a_directory_that_is_lost_or_emptied_heals_or_is_named_X11_R37(busy):
    top, aside = busy.dir / "node1", busy.dir / "aside"
    busy.start_node(1)
    busy.wait_healthy(20)
    busy.submit(20000)  # a value with a file of its own
    wait_for(lambda: list((top / "values").iterdir()), 10, "it has a copy")
    busy.kill(busy.nodes[1])
    boots = max(row["boots"] for row in busy.wait_served()["nodes"] if row["id"] == 1)
    parts = sorted(path for path in top.rglob("*"))
    assert {"store", "store/data.mdb", "values", "lock"} < {str(path.relative_to(top)) for path in parts}
    for path in parts:
        lost, emptied = part_of(path, top)
        for how, words in (("lost", lost), ("emptied", emptied)):
            if how == "emptied" and path.is_dir():
                continue
            if not path.exists() and path.parent.name == "values":
                break  # nothing named it any more, and it was collected while the node ran
            os.rename(path, aside)
            if how == "emptied":
                path.touch()
            process, said = start_or_refuse(busy, 1)
            if words:
                assert process.wait(harness.seconds(20)) == ENVIRONMENT
                line = said.splitlines()[-1]
                assert str(top) in line and all(word in line for word in words), (path, how, line)
                path.unlink(missing_ok=True)
                os.rename(aside, path)
                continue
            boots += 1  # as a disk that it always was, never as a new one
            assert f"incarnation {boots}." in said, (path, how, said)
            busy.wait_healthy(20)
            if "values" in str(path):
                wait_for(lambda: list((top / "values").iterdir()), 20, "the value comes from another node")
            busy.kill(process)
            shutil.rmtree(aside) if aside.is_dir() else aside.unlink()
    busy.start_node(1)
    busy.wait_healthy(20)
    assert busy.submit(34)["result"]["text"] == str(math.factorial(34))


def test_damage_while_a_node_runs_ends_it_with_one_line_X11(make_cluster):
    cluster = make_cluster(nodes=3).start()
    cluster.wait_healthy()
    for n in range(900, 910):
        cluster.submit(n)
    follower = next(n for n in (1, 2, 3) if n != cluster.status()["coordinator"])
    data = cluster.dir / f"node{follower}" / "store" / "data.mdb"
    os.truncate(data, 2 * PAGE)  # what it reads next is gone: SIGBUS

    def ended():
        cluster.conclave("submit", "factorial", "50", "--timeout", "5s")
        return cluster.nodes[follower].poll() is not None
    wait_for(ended, 20, "it ends")
    assert cluster.nodes[follower].returncode == ENVIRONMENT
    last = (cluster.dir / f"node{follower}.log").read_text().splitlines()[-1]
    assert str(data) in last, last
    wipe_and_heal(cluster, follower)

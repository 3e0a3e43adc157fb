"""A restored cluster goes on with what was done: from large live results, and from the outcomes of tasks."""
import base64
import json
import math
import os
import pathlib
import shutil

import msgpack

from harness import wait_for
from snapshots import split

NUMBERS, DIGITS = 16, 170_000  # 16 leaves of 70 kB each, and four products of 280 kB


def restored(old, make_cluster, picture):
    """A fresh cluster on a snapshot whose own cluster is gone, its directory, too."""
    old.close()
    for name in os.listdir(old.dir):
        path = pathlib.Path(old.dir, name)
        if path.is_dir():
            shutil.rmtree(path)
    fresh = make_cluster(nodes=3)
    fresh.told = fresh.conclave("up", "--detach", "--port", fresh.port, "--dir", "up", "--slots", 1, "--nodes", 3,
                                "--restore", picture, timeout=60)
    assert fresh.told.returncode == 0, fresh.told
    fresh.wait_healthy()
    return fresh


def operations(cluster, job):
    return cluster.json("job", "show", job)["operations"]


def in_the_midst(make_cluster, tmp_path):
    """A cluster whose product has some large live results, and its job."""
    cluster = make_cluster(nodes=3, slots=1, delay="200ms").start()
    cluster.wait_healthy()
    numbers = tmp_path / "numbers.txt"
    numbers.write_text("".join(f"{7 + i}{'3' * DIGITS}\n" for i in range(NUMBERS)))
    job = cluster.json("submit", "product", f"@{numbers}", "--no-wait", timeout=60)["id"]
    wait_for(lambda: operations(cluster, job)["done"] >= 18, 30, "two products of four are done")
    return cluster, job


def export(cluster, tmp_path):
    picture = tmp_path / "picture.json"
    done = cluster.conclave("snapshot", "export", cluster.ok("snapshot", "take").strip(), picture)
    assert (done.returncode, done.stderr) == (0, ""), done
    return picture


def test_a_product_goes_on_from_its_large_live_results_S15(make_cluster, tmp_path):
    cluster, job = in_the_midst(make_cluster, tmp_path)
    picture = export(cluster, tmp_path)
    values = list((tmp_path / "picture.json.values").iterdir())
    assert len([v for v in values if v.stat().st_size > 250_000]) >= 2, values
    assert "values: " in cluster.ok("snapshot", "verify", picture)
    fresh = restored(cluster, make_cluster, picture)
    assert "restarts" not in fresh.told.stderr and "behind" not in fresh.told.stderr
    ended = fresh.json("job", "wait", job, timeout=60)
    tail = ended["result"]["tail"]
    assert ended["state"] == "done" and tail == str(pow(int("3" * len(tail)), NUMBERS, 10 ** len(tail))).zfill(len(tail))
    assert ended["result"]["digits"] == NUMBERS * DIGITS + 1 + int(sum(math.log10(7 + i + 1 / 3) for i in range(NUMBERS)))
    assert ended["operations"]["executed"] <= ended["operations"]["total"] + 3, ended  # nothing of the leaves again
    names = {p.name for n in (1, 2, 3) for p in (fresh.dir / "up" / f"node{n}").iterdir()}
    assert not [name for name in names if "restore" in name], names
    fresh.ok("down", "--dir", "up")


def pictured(picture):
    """Of the jobs of tasks in a snapshot, in the order of their ids: which have an outcome, which may have been begun."""
    for part in json.loads(picture.read_text())["checkpoint"]:
        row = msgpack.unpackb(next(split(base64.b64decode(part))))
        if row["type"] == "image_tasks":
            yield tuple({task for it in row.get(name, []) for task in range(it["first"], it["first"] + it["count"])}
                        for name in ("decided", "starts"))


def test_a_map_goes_on_after_its_done_tasks_and_what_may_run_once_is_lost_T16(make_cluster, tmp_path):
    cluster = make_cluster(nodes=3, slots=1).start()
    cluster.wait_healthy()
    ran = tmp_path / "ran"
    ran.mkdir()
    word = tmp_path / "word"
    word.write_text("a file that goes with the tasks")
    def command(name, rest):
        return "sh", "-c", f"echo x >> {ran}/{name}-$1; {rest}", "sh", "{}", ":::"
    many = cluster.ok("map", "--no-wait", "--upload", word, *command("many", "sleep 0.1; cat word"), *range(1, 41)).strip()
    wait_for(lambda: cluster.json("job", "show", many)["tasks"]["done"] >= 10, 10, "some are done")
    once = cluster.ok("map", "--no-wait", "--at-most-once", *command("once", "sleep 60"), 1, 2, 3, 4).strip()
    wait_for(lambda: list(ran.glob("once-*")), 10, "one is begun")
    picture = export(cluster, tmp_path)
    (done, _), (_, begun) = pictured(picture)
    assert len(done) >= 10 and begun
    cluster.close()
    before = {p.name: len(p.read_text().split()) for p in ran.iterdir()}
    fresh = restored(cluster, make_cluster, picture)
    assert "behind" not in fresh.told.stderr, fresh.told
    wait_for(lambda: fresh.json("job", "show", once)["tasks"]["lost"] == len(begun), 10, "what was begun is lost")
    fresh.ok("job", "cancel", once)
    ended = fresh.json("job", "wait", many, timeout=60)
    assert ended["state"] == "done" and ended["tasks"]["done"] == 40
    again = {name for name in before if len((ran / name).read_text().split()) > before[name]}
    assert not again & {f"many-{task}" for task in done}, again
    assert not again & {f"once-{task}" for task in begun}, again
    assert fresh.json("job", "show", once)["tasks"]["lost"] == len(begun)
    fresh.ok("down", "--dir", "up")


def ready(fresh):
    """Where `restored()` starts a cluster; what it takes from a snapshot may be there already."""
    return pathlib.Path(fresh.dir, "up")


def tree(path):
    return sorted(str(one.relative_to(path)) for one in path.rglob("*"))


def test_a_product_goes_on_from_values_that_were_fetched_by_the_snapshots_id_S15(make_cluster, tmp_path):
    cluster, job = in_the_midst(make_cluster, tmp_path)
    fresh = make_cluster(nodes=3)
    snapshot = cluster.ok("snapshot", "take").strip()
    done = cluster.conclave("snapshot", "restore", snapshot, "--dir", ready(fresh), timeout=60)
    assert done.returncode == 0 and "restarts" not in done.stderr and "behind" not in done.stderr, done
    values = [path for n in (1, 2, 3) for path in (ready(fresh) / f"node{n}" / "restore.values").iterdir()]
    assert len([path for path in values if path.stat().st_size > 250_000]) >= 6, values  # two products on each of three nodes
    assert not (ready(fresh) / "restore.values").exists()
    again = cluster.conclave("snapshot", "restore", snapshot, "--dir", ready(fresh))
    assert again.returncode == 2 and "is not empty: a snapshot is restored into a fresh --dir" in again.stderr, again
    cluster.close()
    fresh.ok("up", "--detach", "--port", fresh.port, "--dir", "up", "--slots", 1, "--nodes", 3, timeout=60)
    fresh.wait_healthy()
    ended = fresh.json("job", "wait", job, timeout=60)
    tail = ended["result"]["tail"]
    assert ended["state"] == "done" and tail == str(pow(int("3" * len(tail)), NUMBERS, 10 ** len(tail))).zfill(len(tail))
    assert ended["operations"]["executed"] <= ended["operations"]["total"] + 3, ended  # nothing of the leaves again
    fresh.ok("down", "--dir", "up")


def test_what_is_on_no_node_any_more_is_said_and_nothing_is_changed(make_cluster, tmp_path):
    cluster = make_cluster(nodes=2, slots=1).start()
    cluster.wait_healthy()
    word = tmp_path / "word"
    word.write_text("x" * 200_000)
    cluster.ok("map", "--no-wait", "--upload", word, "--sh", "sleep 300; echo {}", ":::", 1, 2)
    snapshot = cluster.ok("snapshot", "take").strip()
    lost = [path for path in pathlib.Path(cluster.dir).glob("node*/**/values/*") if path.stat().st_size >= 200_000]
    assert lost, tree(pathlib.Path(cluster.dir))
    for node in (1, 2):
        cluster.kill(cluster.nodes[node])
    for path in lost:
        path.unlink()
    for node in (1, 2):
        cluster.start_node(node)
    cluster.wait_healthy()
    for target in (tmp_path / "new", tmp_path / "kept"):
        kept = target.name == "kept"
        if kept:
            (target / "node1").mkdir(parents=True)
        done = cluster.conclave("snapshot", "restore", snapshot, "--dir", target, timeout=60)
        assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, done
        assert "values that its jobs need are no longer on any node" in done.stderr and "--force" in done.stderr, done
        assert tree(target) == ["node1"] if kept else not target.exists()
    forced = cluster.conclave("snapshot", "restore", snapshot, "--dir", tmp_path / "new", "--force", timeout=60)
    assert forced.returncode == 0 and "stay behind" in forced.stderr, forced
    assert not (tmp_path / "new" / "restore.values").exists() and (tmp_path / "new" / "node1" / "restore").exists()

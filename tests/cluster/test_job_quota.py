"""Open jobs and bytes kept of each key (X8): who has as much as it may is refused, and the others are served as before."""
import json
from concurrent.futures import ThreadPoolExecutor

from harness import OK, wait_for

QUOTA_EXIT = 8
JOBS = 3
AT_ONCE = 8


def add_people(cluster):
    for name in ("alice", "bob"):
        cluster.ok("keys", "add", name, "--role", "submit", "--dir", cluster.locks.dir)
        wait_for(lambda name=name: run(cluster, name, "job", "list").returncode == OK, what=f"{name} is known")


def run(cluster, name, *arguments):
    """The command line with the key of somebody; None: the admin's."""
    return cluster.conclave(*arguments, env=name and {"CONCLAVE_ACCESS": str(cluster.locks.file(name))})


def submit(cluster, name, key, *more):
    """The id of the job that is accepted."""
    done = run(cluster, name, "submit", "factorial", "30", "--key", key, "--json", *more)
    assert done.returncode == OK, (name, key, done)
    return json.loads(done.stdout)["id"]


def is_refused(cluster, name, key):
    """The one line that says why."""
    done = run(cluster, name, "submit", "factorial", "30", "--key", key, "--no-wait")
    assert done.returncode == QUOTA_EXIT and done.stdout == "", done
    line, = done.stderr.splitlines()
    return line


def quota(cluster, name=None):
    """What the key is shown: {name: (open jobs, finished jobs, bytes)}."""
    told = json.loads(run(cluster, name, "quota", "--json").stdout)
    return {row["name"]: (row["open_jobs"], row["kept_jobs"], row["kept_bytes"]) for row in told["keys"]}


def test_open_jobs_of_a_key_are_bounded_across_failures_X8(make_cluster):
    cluster = make_cluster(nodes=3, quota_jobs=JOBS, delay="1h").start()  # no job ends by itself
    cluster.wait_healthy()
    add_people(cluster)
    jobs = [submit(cluster, "alice", f"key-{i}", "--no-wait") for i in range(JOBS)]
    assert f"the key of alice has {JOBS} open jobs, and may have {JOBS} (--quota-jobs" in is_refused(cluster, "alice", "more")
    assert submit(cluster, "alice", "key-0", "--no-wait") == jobs[0], "a repeat is answered as ever"
    bobs = submit(cluster, "bob", "key-0", "--no-wait")
    assert len({submit(cluster, None, f"key-{i}", "--no-wait") for i in range(2 * JOBS)}) == 2 * JOBS, "admin has no such bound"
    assert quota(cluster, "alice") == {"alice": (JOBS, 0, 0)}
    everybody = quota(cluster)
    assert everybody["alice"] == (JOBS, 0, 0) and everybody["bob"] == (1, 0, 0), everybody
    for _ in range(2):  # the coordinator is killed, and what it had counted is gone
        before = cluster.wait_healthy()
        cluster.kill(cluster.nodes[before["coordinator"]])
        wait_for(lambda before=before: (cluster.status() or {}).get("coordinator") not in (None, 0, before["coordinator"]), 20,
                 "another coordinator serves")
        is_refused(cluster, "alice", "more")
        assert submit(cluster, "alice", "key-0", "--no-wait") == jobs[0]
        assert run(cluster, "alice", "job", "cancel", jobs.pop()).returncode == OK
        race = [("submit", "factorial", "30", "--key", f"race-{before['term']}-{i}", "--no-wait", "--json") for i in range(AT_ONCE)]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            ends = list(pool.map(lambda words: run(cluster, "alice", *words), race))
        assert sorted(end.returncode for end in ends) == [OK] + [QUOTA_EXIT] * (AT_ONCE - 1), "one place was free"
        jobs += [json.loads(end.stdout)["id"] for end in ends if end.returncode == OK]
        assert quota(cluster, "alice")["alice"][0] == JOBS
        cluster.start_node(before["coordinator"])
    cluster.wait_healthy()
    assert {job["id"] for job in json.loads(run(cluster, "bob", "job", "list", "--json").stdout)} == {bobs}


def test_bytes_kept_of_a_key_are_bounded_until_it_forgets_X8(make_cluster):
    cluster = make_cluster(nodes=3, quota_bytes=66).start()  # 30! has 33 digits
    cluster.wait_healthy()
    add_people(cluster)
    first, second = submit(cluster, "alice", "1"), submit(cluster, "alice", "2")
    assert "the key of alice keeps 66 bytes of results, and may keep 66 (--quota-bytes" in is_refused(cluster, "alice", "3")
    assert submit(cluster, "alice", "1") == first
    submit(cluster, "bob", "1")
    assert quota(cluster, "alice") == {"alice": (0, 2, 66)}
    assert "66 B of 66 B" in run(cluster, "alice", "quota").stdout
    run(cluster, "bob", "job", "forget", first)  # does not exist for bob
    is_refused(cluster, "alice", "3")
    assert run(cluster, "alice", "job", "forget", first).returncode == OK
    submit(cluster, "alice", "3")
    is_refused(cluster, "alice", "4")
    assert run(cluster, None, "job", "forget", second).returncode == OK
    submit(cluster, "alice", "4")


def test_up_takes_the_bounds_and_help_names_them_X8(make_cluster):
    cluster = make_cluster(nodes=3)
    cluster.json("up", "--detach", "--dir", "up", "--port", cluster.port, "--nodes", 3, "--quota-jobs", 7, "--quota-bytes", "2MiB",
                 timeout=60)
    try:
        told = cluster.json("quota")
        assert (told["jobs_max"], told["bytes_max"], told["bounded"]) == (7, 2 << 20, False), told
    finally:
        cluster.ok("down", "--dir", "up")
    assert "--quota-jobs" in cluster.ok("help", "up") and "--quota-bytes" in cluster.ok("help", "quota")

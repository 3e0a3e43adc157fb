"""How much of finished jobs is kept: --keep-jobs, --keep-bytes, `job forget`, and what that leaves on the disks."""
import math

import harness
from harness import NOT_FOUND, OK, USAGE, seconds, wait_for

MB = 1000 * 1000
KEEP_BYTES = 5 * MB
LARGE = 400000  # 2.07 million digits
JOB_BYTES = 2_100_000
# Beside the results: what the store allocates ahead (STORE_RESERVE_BYTES and a step: 12.6 MB), and the pages of data.mdb,
# which keeps the length that the largest job's operations of up to 64 KiB gave it. Measured: 12.7 MB in all.
STORE_BYTES = 20 * MB


def disk_bytes(cluster, node):
    """What a node's directory takes on the file system, allocated ahead or not."""
    def of(path):
        try:
            return path.stat().st_blocks * 512
        except FileNotFoundError:
            return 0  # it went meanwhile
    return sum(of(path) for path in (cluster.dir / f"node{node}").rglob("*"))


def jobs_on_disk(cluster, node):
    """The ids whose values are files."""
    return {path.name.rsplit("-", 1)[0] for path in (cluster.dir / f"node{node}" / "values").iterdir()}


def submit_all(cluster, numbers):
    return [cluster.submit(n, "--key", f"key-{n}", timeout=90) for n in numbers]


def kept(cluster):
    status = cluster.status()
    return status and status["coordinator"] and status["kept"]


def test_results_beyond_keep_bytes_leave_every_disk_W6(make_cluster):
    """Five results of 2 MB, room for two; one node is down while most of them come and go."""
    cluster = make_cluster(nodes=3, keep_bytes=KEEP_BYTES).start()
    status = cluster.wait_healthy()
    away = next(node for node in cluster.nodes if node != status["coordinator"])
    jobs = submit_all(cluster, range(LARGE, LARGE + 2))
    wait_for(lambda: {job["id"] for job in jobs} <= jobs_on_disk(cluster, away), 20, "the node holds the first results")
    cluster.kill(cluster.nodes[away])
    jobs += submit_all(cluster, range(LARGE + 2, LARGE + 5))
    gone, left = jobs[:-2], jobs[-2:]
    assert {job["id"] for job in cluster.json("job", "list")} == {job["id"] for job in left}
    cluster.start_node(away)
    cluster.wait_healthy()
    for node in cluster.nodes:
        wait_for(lambda: jobs_on_disk(cluster, node) == {job["id"] for job in left}, 30,
                 "the values of forgotten jobs, and intermediate ones, are gone")
        taken = disk_bytes(cluster, node)
        print(f"node {node}: {taken} bytes")
        assert taken < KEEP_BYTES + JOB_BYTES + STORE_BYTES, f"node {node}"
    assert kept(cluster) == {"jobs": 2, "bytes": sum(job["result"]["digits"] for job in left),
                             "jobs_max": 10000, "bytes_max": KEEP_BYTES}
    for job in gone:
        assert cluster.conclave("job", "show", job["id"]).returncode == NOT_FOUND
        done = cluster.conclave("submit", "factorial", job["spec"], "--key", job["key"])
        assert done.returncode == NOT_FOUND and "forgotten" in done.stderr
    for job in left:
        assert cluster.submit(job["spec"], "--key", job["key"])["id"] == job["id"]


def test_the_last_result_is_kept_whatever_its_size_W6(make_cluster):
    cluster = make_cluster(nodes=3, keep_bytes=1000).start()
    cluster.wait_healthy()
    small, large = cluster.submit(300), cluster.submit(20000)
    assert {job["id"] for job in cluster.json("job", "list")} == {large["id"]}
    assert len(cluster.ok("job", "result", large["id"]).strip()) == large["result"]["digits"]
    last = cluster.submit(10)
    assert {job["id"] for job in cluster.json("job", "list")} == {last["id"]}
    assert small["id"] != last["id"]


def test_keep_jobs_of_up_and_a_start_without_it_W6(make_cluster):
    """A limit that is not given again stays."""
    cluster = make_cluster(nodes=3)
    up = ["up", "--detach", "--dir", "up", "--port", cluster.port]
    cluster.json(*up, "--nodes", 3, "--keep-jobs", 3, "--keep-bytes", "1MiB", timeout=60)
    cluster.wait_healthy()
    wait_for(lambda: kept(cluster)["jobs_max"] == 3, 10, "the coordinator has logged it")
    jobs = [cluster.submit(n) for n in range(10, 16)]
    assert [job["id"] for job in cluster.json("job", "list")] == [job["id"] for job in jobs[3:]]
    assert "kept         3 of 3 finished jobs" in cluster.ok("status")
    cluster.ok("down", "--dir", "up")
    cluster.json(*up, timeout=60)
    cluster.wait_healthy()
    assert kept(cluster) == {"jobs": 3, "bytes": sum(job["result"]["digits"] for job in jobs[3:]),
                             "jobs_max": 3, "bytes_max": 1 << 20}
    cluster.ok("down", "--dir", "up")


def test_job_forget_by_hand_W6(make_cluster):
    cluster = make_cluster(nodes=3).start()
    cluster.wait_healthy()
    jobs = [cluster.submit(n, "--key", f"key-{n}") for n in (20000, 20001, 20002, 10)]
    ids = [job["id"] for job in jobs]
    for node in cluster.nodes:
        wait_for(lambda: set(ids[:3]) <= jobs_on_disk(cluster, node), 20, "results over 64 KiB are files")
    listed = cluster.json("job", "list")
    done = cluster.conclave("job", "forget", ids[0], "9-9")
    assert done.returncode == NOT_FOUND and "9-9" in done.stderr and not done.stdout
    assert cluster.json("job", "list") == listed
    assert cluster.ok("job", "forget", ids[0]).startswith("1 job is forgotten; 3 finished jobs, with results of 151.")
    told = cluster.json("job", "forget", ids[1], ids[1], ids[3])
    assert told == {"forgotten": 2, "jobs": [ids[1], ids[3]],
                    "kept": {"jobs": 1, "bytes": jobs[2]["result"]["digits"]}}
    assert [job["id"] for job in cluster.json("job", "list")] == [ids[2]]
    for node in cluster.nodes:
        wait_for(lambda: jobs_on_disk(cluster, node) == {ids[2]}, 20, "their results have gone")
    for job in (jobs[0], jobs[1], jobs[3]):
        assert cluster.conclave("job", "forget", job["id"]).returncode == NOT_FOUND
        assert cluster.conclave("submit", "factorial", job["spec"], "--key", job["key"]).returncode == NOT_FOUND
    # What others may have done since is asked of whoever coordinates next, too.
    cluster.kill_coordinator()
    wait_for(lambda: cluster.conclave("job", "forget", ids[0]).returncode == NOT_FOUND, 10, "the next one knows it")
    assert cluster.json("job", "forget", "--older", "1h") == {"forgotten": 0, "jobs": [], "kept": None}
    assert cluster.json("job", "forget", "--older", "0s")["jobs"] == [ids[2]]
    assert cluster.ok("job", "forget", "--all-finished") == "no job matches; nothing is forgotten\n"


def test_a_job_that_is_not_finished_is_not_forgotten_W6(make_cluster):
    cluster = make_cluster(nodes=3, delay="300ms").start()
    cluster.wait_healthy()
    finished = cluster.submit(3)
    running = cluster.ok("submit", "factorial", 100000, "--no-wait").split()[-1]
    running = next(job["id"] for job in cluster.json("job", "list") if job["id"] != finished["id"])
    done = cluster.conclave("job", "forget", finished["id"], running)
    assert done.returncode == USAGE and not done.stdout and len(done.stderr.splitlines()) == 1
    assert running in done.stderr and "cancel it first" in done.stderr
    assert {job["id"] for job in cluster.json("job", "list")} == {finished["id"], running}
    assert cluster.json("job", "forget", "--all-finished")["jobs"] == [finished["id"]]
    # As a foreign client asks for it, without looking first.
    answer, _ = harness.request(cluster.broker, {"type": "job_forget", "request": 5,
                                                 "jobs": [{"job": harness.job_number(running)}]})
    assert answer["type"] == "error" and answer["code"] == "invalid" and "cancel it first" in answer["reason"]
    assert cluster.conclave("job", "cancel", running).returncode == OK
    answer, _ = harness.request(cluster.broker, {"type": "job_forget", "request": 6,
                                                 "jobs": [{"job": harness.job_number(running)}]})
    assert (answer["type"], answer["forgotten"], answer["kept_jobs"]) == ("jobs_forgotten", 1, 0)
    assert cluster.json("job", "list") == []


def test_many_are_forgotten_in_several_requests_W6(make_cluster):
    """More than one entry forgets (FORGET_JOBS_MAX)."""
    cluster = make_cluster(nodes=3).start()
    cluster.wait_healthy()
    path = cluster.dir / "jobs"
    path.write_text("".join(f"factorial {n % 7}\n" for n in range(700)))
    cluster.ok("submit", "--file", path, timeout=60)
    assert kept(cluster)["jobs"] == 700
    assert kept(cluster)["bytes"] == 100 * sum(len(str(math.factorial(n))) for n in range(7))
    told = cluster.json("job", "forget", "--all-finished", timeout=seconds(30))
    assert told["forgotten"] == 700 and told["kept"] == {"jobs": 0, "bytes": 0}
    assert cluster.json("job", "list") == []

"""What tasks of `conclave map` leave beside short outputs: long ones, and collected files."""
import hashlib
import json

from harness import FAILED, OK
from test_map_commands import job_of

CLUSTER = {"nodes": 3, "slots": 2}


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def test_long_outputs_come_back_whole(cluster):
    line = "head -c 300000 /dev/zero | tr '\\0' {}; { head -c 9000000 /dev/zero; echo; echo last {}; } >&2"
    done = cluster.conclave("map", "--max-output", "10M", "--sh", line, ":::", *"abc")
    assert done.returncode == OK, cluster.ok("job", "tasks", job_of(done.stderr), "--failed", "--wide")
    assert done.stdout == "".join(letter * 300000 for letter in "abc")
    job = job_of(done.stderr)
    row = json.loads(cluster.ok("job", "tasks", job, "--json", "--task", "2"))
    assert (row["stdout"], row["files"]) == ({"bytes": 300000, "sha256": sha256(b"b" * 300000), "cut": False}, 0)
    assert row["stderr"] == {"bytes": 9000008, "sha256": sha256(bytes(9000000) + b"\nlast b\n"), "cut": False}
    assert cluster.ok("job", "tasks", job, "--task", "2").endswith("last b\n")
    assert cluster.ok("job", "output", job, "--stderr", "--task", "3") == "\0" * 9000000 + "\nlast c\n"
    assert cluster.ok("job", "result", job) == done.stdout
    assert json.loads(cluster.ok("quota", "--json"))["keys"][0]["kept_bytes"] >= 3 * 9300000
    cut = cluster.conclave("map", "--max-output", "100KB", "--sh", "head -c 300000 /dev/zero; : {}", ":::", "a")
    assert len(cut.stdout) == 100000
    row = json.loads(cluster.ok("job", "tasks", job_of(cut.stderr), "--json"))
    assert row["stdout"] == {"bytes": 300000, "sha256": sha256(bytes(100000)), "cut": True}


def test_collected_files_are_fetched_whole_and_what_is_missing_again(cluster, tmp_path):
    out = tmp_path / "out"
    line = ("mkdir -p a/b; head -c 200000 /dev/urandom | tee a/b/data; echo {} > small.txt; chmod +x small.txt;"
            "ln -s /etc/passwd link.txt; mkdir dir.txt; echo no > other; [ {} != y ]")
    done = cluster.conclave("map", "--collect", "*.txt", "--collect", "a/**/data", "--dir", out, "--sh", line, ":::", "x", "y")
    assert done.returncode == FAILED, done.stderr
    files = sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())
    assert files == ["1.out", "1/a/b/data", "1/small.txt", "2.out", "2/a/b/data", "2/small.txt", "joblog.tsv"]
    for task in "1", "2":
        assert (out / task / "a/b/data").read_bytes() == (out / f"{task}.out").read_bytes()
    assert (out / "2/small.txt").read_text() == "y\n" and (out / "2/small.txt").stat().st_mode & 0o111
    job = job_of(done.stderr)
    assert [json.loads(row)["files"] for row in cluster.ok("job", "tasks", job, "--json").splitlines()] == [2, 2]
    kept = (out / "1/a/b/data").stat()
    (out / "2/a/b/data").write_bytes(b"torn")
    (out / "2/small.txt").unlink()
    again = cluster.conclave("job", "output", job, "--dir", out)
    assert "2 files are written" in again.stderr and (out / "2/a/b/data").read_bytes() == (out / "2.out").read_bytes()
    assert (out / "1/a/b/data").stat().st_mtime_ns == kept.st_mtime_ns


def test_files_that_are_too_large_fail_their_task_alone(cluster):
    done = cluster.conclave("map", "--collect", "*", "--sh", "[ {} = a ] || truncate -s 1T big; echo {}", ":::", *"ab")
    assert done.returncode == FAILED and done.stdout == "a\nb\n"
    failed = cluster.ok("job", "tasks", job_of(done.stderr), "--failed", "--wide")
    assert "files not collected: the files that match" in failed


def test_what_tasks_left_outlives_their_node(cluster):
    done = cluster.conclave("map", "--sh", "head -c 100000 /dev/zero; : {}", "--array", "1-6", "--no-wait")
    job = done.stdout.strip()
    cluster.ok("job", "wait", job)
    node = json.loads(cluster.ok("job", "tasks", job, "--json", "--task", "1"))["node"]
    cluster.kill(cluster.nodes[node])
    assert cluster.ok("job", "result", job) == "\0" * 600000

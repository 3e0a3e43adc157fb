"""Operators of one's own and jobs that fold by them, on real processes: what a user types, what comes back."""
import hashlib
import time

import harness
from harness import FAILED, NOT_FOUND, OK, USAGE

CLUSTER = {"nodes": 5, "slots": 2}
PARTS = 40


def program(path, text):
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return path


def add(cluster, path, name, text, *more):
    out = cluster.ok("op", "add", name, program(path / f"{name}.sh", text), *more)
    assert out.startswith(f"{name}: value:")
    return out.split()[1]


def parts(path, n, lines):
    """Sorted files with random names of lines, and all of them in one."""
    files = []
    for i in range(n):
        files.append(path / f"part{i:02}")
        files[-1].write_text("".join(sorted(hashlib.sha256(f"{i} {k}".encode()).hexdigest() + "\n" for k in range(lines))))
    return files, "".join(sorted(line + "\n" for file in files for line in file.read_text().split()))


def test_a_program_folds_files_in_order(cluster, tmp_path):
    files, merged = parts(tmp_path, 9, 3)
    first = add(cluster, tmp_path, "merge", 'exec sort -m "$@"\n')
    assert add(cluster, tmp_path, "merge", 'exec sort -m "$@"\n') == first  # the same again changes nothing
    add(cluster, tmp_path, "join", 'exec cat "$@"\n')
    assert cluster.ok("submit", "reduce", "merge", "--files", tmp_path / "part*") == merged
    assert cluster.ok("submit", "reduce", "join", *files) == "".join(file.read_text() for file in files)
    assert cluster.ok("submit", "reduce", "join", files[0]) == files[0].read_text()  # one file is its own fold
    assert cluster.ok("op", "check", "merge", *files[:3]).startswith("6 shapes, one result")
    # a map's outputs, at once and later
    assert cluster.ok("map", "--reduce", "join", "echo", ":::", *"abcdef") == "".join(f"{c}\n" for c in "abcdef")
    job = [row for row in cluster.json("job", "list") if row["kind"] == "map"][-1]["id"]
    assert cluster.ok("submit", "reduce", "join", f"job:{job}") == "".join(f"{c}\n" for c in "abcdef")
    # a job has the program that it began with
    second = add(cluster, tmp_path, "merge", 'exec sort -mr "$@"\n', "--commutative", "--time-limit", "5s")
    shown = cluster.json("op", "show", "merge")
    assert shown["value"] == second != first and shown["commutative"] and shown["time_limit_us"] == 5000000
    assert cluster.json("op", "show", first)["time_limit_us"] == 60000000
    cluster.ok("op", "rm", "merge")
    assert [row["name"] for row in cluster.json("op", "list")] == ["join"]
    assert cluster.conclave("submit", "reduce", "merge", *files).returncode == NOT_FOUND


def test_what_a_program_does_wrong_fails_the_job_with_the_reason(cluster, tmp_path):
    files, _ = parts(tmp_path, 3, 1)
    for name, text, why in [("bad", "echo no header >&2; exit 3\n", "bad: exit code 3: no header"),
                            ("slow", "sleep 60\n", "slow: longer than its time limit of 200ms")]:
        add(cluster, tmp_path, name, text, *(["--time-limit", "200ms"] if name == "slow" else []))
        done = cluster.conclave("submit", "reduce", name, *files)
        assert done.returncode == FAILED and why in done.stderr and not done.stdout
    # any bytes, and none
    add(cluster, tmp_path, "bytes", "printf '\\377\\000x'\n")
    raw = tmp_path / "raw"
    cluster.ok("submit", "reduce", "bytes", *files, "--output", raw)
    assert raw.read_bytes() == b"\xff\0x"
    add(cluster, tmp_path, "none", ":\n")
    assert cluster.ok("submit", "reduce", "none", *files) == ""
    for words, code, why in [(["reduce", "merge?", *files], USAGE, "not a name of an operator"),
                             (["reduce", "bytes"], USAGE, "nothing to fold"),
                             (["reduce", "bytes", "no-such-file"], USAGE, "no-such-file"),
                             (["reduce", "bytes", "--files", tmp_path / "zz*"], USAGE, "nothing matches"),
                             (["factorial", "5", "--files", "x"], USAGE, "--files is for reduce")]:
        done = cluster.conclave("submit", *words)
        assert done.returncode == code and why in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr


def test_a_fold_survives_its_coordinator_and_a_worker(cluster, tmp_path):
    files, merged = parts(tmp_path, PARTS, 20)
    add(cluster, tmp_path, "merge", 'sleep 0.2; exec sort -m "$@"\n')
    process = cluster.start_conclave("submit", "reduce", "merge", *files)
    deadline = time.monotonic() + harness.seconds(20)

    def done():
        return [row["operations"]["done"] for row in cluster.json("job", "list") if row["kind"] == "reduce"]
    while not any(0 < n < 13 for n in done()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    old = cluster.kill_coordinator()["coordinator"]
    worker = next(node for node in cluster.nodes if node != old and cluster.nodes[node].poll() is None)
    cluster.kill(cluster.nodes[worker])
    out, errors = process.communicate(timeout=harness.seconds(60))
    assert process.returncode == OK, errors
    assert out == merged
    for node in (old, worker):
        cluster.start_node(node)


def test_without_keys_and_without_the_role_nothing_is_added(make_cluster, tmp_path):
    cluster = make_cluster(nodes=2, insecure=True).start()
    cluster.wait_healthy()
    done = cluster.conclave("op", "add", "merge", program(tmp_path / "merge.sh", "cat\n"))
    assert done.returncode != OK and "keys" in done.stderr and len(done.stderr.splitlines()) == 1
    assert cluster.json("value", "list") == []

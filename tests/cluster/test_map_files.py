"""Files that go with tasks of `conclave map`: each task's own (--files), and those of all (--upload)."""
import hashlib
import json
import os
import subprocess
import time

import pytest
from harness import BIN, FAILED, OK, SANITIZED, USAGE, forget_peak, memory
from test_map_commands import job_of

CLUSTER = {"nodes": 3, "slots": 2}

SCRIPT = """#!/bin/sh
# the sum of the file, what else is there, and what the name ends with as the exit code
set -e
sha256sum < "$1" | cut -c 1-64
find . -type f | sort
[ "$(cat "tools/it's a word list")" = words ]
case $1 in *.bad) echo bad header >&2; exit 3;; esac
"""


def of(cluster, cwd, *words):
    return cluster.conclave("map", *words, cwd=cwd)


def test_files_and_uploads_are_there_when_their_task_begins(cluster, tmp_path):
    data = tmp_path / "data dir"
    data.mkdir()
    (tmp_path / "tools").mkdir()
    (tmp_path / "clean.sh").write_text(SCRIPT)
    (tmp_path / "clean.sh").chmod(0o755)
    (tmp_path / "tools/it's a word list").write_text("words")
    contents = {"0": b"", "1": b"x", "large": os.urandom(9 << 20), "it's \"quoted\".bad": b"bad\n"}
    contents.update({f"{i:02d}.csv": b"%d\n" % i for i in range(56)})
    for name, content in contents.items():
        (data / name).write_bytes(content)
    uploads = ["--upload", "./clean.sh", "--upload", "tools/it's a word list"]
    done = of(cluster, tmp_path, *uploads, "--files", "data dir/*", "--no-wait", "--", "./clean.sh", "{}")
    assert done.returncode == OK, done.stderr
    job = done.stdout.strip()
    assert cluster.conclave("job", "wait", job).returncode == FAILED
    rows = [json.loads(row) for row in cluster.ok("job", "tasks", job, "--json").splitlines()]
    assert [row["input"] for row in rows] == [f"data dir/{name}" for name in sorted(contents)]
    assert [row["exit"] for row in rows if row["state"] == "failed"] == [3]
    cluster.ok("job", "output", job, "--dir", tmp_path / "out")
    for task, name in enumerate(sorted(contents), 1):
        sha256 = hashlib.sha256(contents[name]).hexdigest()
        there = f"{sha256}\n./clean.sh\n./data dir/{name}\n./tools/it's a word list\n"
        assert (tmp_path / f"out/{task}.out").read_text() == there
    assert "60 files data dir/*" in cluster.ok("job", "show", job)
    for path in data.iterdir():  # a retry has the files as they were
        path.unlink()
    retried = cluster.ok("job", "retry", job).strip()
    assert cluster.conclave("job", "wait", retried).returncode == FAILED
    row = json.loads(cluster.ok("job", "tasks", retried, "--failed", "--json"))
    assert (row["exit"], row["input"], row["task"]) == (3, "data dir/it's \"quoted\".bad", 59)
    assert "it's \"quoted\".bad\n" in cluster.ok("job", "output", retried, "--failed")


def test_paths_of_elsewhere_have_a_name(cluster, tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "a").write_text("1")
    script = tmp_path / "show"
    script.write_text("#!/bin/sh\necho \"$1 $(cat \"$1\")\"")
    script.chmod(0o755)
    done = of(cluster, tmp_path / "here", "--upload", script, "--files", "../a", "--files", tmp_path / "a", "--", "./show")
    assert (done.returncode, done.stdout) == (OK, f"a 1\n{str(tmp_path)[1:]}/a 1\n"), done.stderr


def test_a_file_may_be_what_a_command_reads(cluster, tmp_path):
    """With --stdin: the task's own file, which is in its directory, too; and not its name."""
    contents = {"a": "one\ntwo\n", "b": "", "c": "x" * (9 << 20) + "\n"}
    for name, content in contents.items():
        (tmp_path / name).write_text(content)
    (tmp_path / "other").write_text("of all")
    words = ["--stdin", "--upload", "other", "--files", "[abc]"]
    assert of(cluster, tmp_path, *words, "--max-output", "10M", "--", "cat").stdout == "".join(contents.values())
    done = of(cluster, tmp_path, *words, "--sh", "wc -c; wc -c < {}; cat other; echo")
    sizes = [len(content) for content in contents.values()]
    assert done.stdout == "".join(f"{size}\n{size}\nof all\n" for size in sizes), done.stderr


def test_what_cannot_go_is_named_and_nothing_is_submitted(cluster, tmp_path):
    before = cluster.ok("value", "list"), cluster.ok("job", "list")
    (tmp_path / "file").write_text("1")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "dir").mkdir()
    (tmp_path / "dir/x").write_text("1")
    with open(tmp_path / "long", "w") as long:
        long.truncate((1 << 30) + 1)
    for words, line in [
        (["--files", "*"], "dir is not a regular file"),
        (["--files", "l*"], "--files: link is a symbolic link: give the file that it leads to"),
        (["--files", "long"], "--files: long is too long: the files of a task have at most 1.0 GiB together"),
        (["--upload", "file", "--upload", "dir", "--files", "file"], "--upload: dir is a directory"),
        (["--upload", "none", "--files", "file"], "--upload: none cannot be read: No such file"),
        (["--upload", "link", "--files", "file"], "--upload: link is a symbolic link"),
        (["--upload", "file", "--files", "file"], "--files: file has no place beside the upload file"),
        (["--upload", "dir/x", "--upload", tmp_path / "dir/x", "--upload", "./dir/x", "--files", "file"],
         "--upload: ./dir/x has no place beside the upload dir/x"),
        (["--upload", "/dev/null", "--files", "file"], "--upload: /dev/null is not a regular file"),
    ]:
        done = of(cluster, tmp_path, *words, "--", "true")
        assert done.returncode == USAGE and line in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert (cluster.ok("value", "list"), cluster.ok("job", "list")) == before


# --- large files -----------------------------------------------------------------------------------

LARGE_MIB = int(os.environ.get("CONCLAVE_LARGE_FILE_MIB", "320"))  # up to 1024: `make test-cluster` with that variable
# What a process may have in memory, whatever the length of the file: segments of 8 MiB that are fetched, written and
# replicated, in a node; one of them, in a client.
NODE_PEAK, CLIENT_PEAK = 192 << 20, 64 << 20


def make_file(path, mib):
    """A file of so many MiB, no two of them the same; its SHA-256."""
    sha256, block = hashlib.sha256(), os.urandom(1 << 20)
    with open(path, "wb") as out:
        for number in range(mib):
            piece = number.to_bytes(8, "big") + block[8:]
            out.write(piece)
            sha256.update(piece)
    return sha256.hexdigest()


def file_sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def measured(cluster, cwd, *words):
    """Runs the command line to its end; also its largest size in memory."""
    peak, start = 0, time.monotonic()
    with open(cwd / "said", "w+", encoding="utf-8") as said:
        client = subprocess.Popen([str(BIN / "conclave"), *map(str, words)], stdin=subprocess.DEVNULL, stdout=said, stderr=said,
                                  env=cluster.environment(), cwd=cwd)
        cluster.clients.append(client)
        while client.poll() is None:
            try:
                peak = memory(client, "VmHWM")
                client.wait(0.05)
            except (subprocess.TimeoutExpired, AssertionError):
                pass  # it runs on, or has just ended
        said.seek(0)
        return client.returncode, said.read(), peak, time.monotonic() - start


def test_a_file_of_any_length_goes_through_a_task_in_bounded_memory(make_cluster, tmp_path):
    cluster = make_cluster()
    cluster.start()
    cluster.wait_healthy()
    there = make_file(tmp_path / "large", LARGE_MIB)
    for node in cluster.nodes.values():
        forget_peak(node)
    line = "cat large; ln large copy; sha256sum copy >&2"
    code, said, peak, took = measured(cluster, tmp_path, "map", "--files", "large", "--collect", "copy", "--max-output", "1GiB",
                                      "--dir", "out", "--sh", line)
    assert code == OK, said
    assert (tmp_path / "out/1.err").read_text().split()[0] == there
    assert file_sha256(tmp_path / "out/1.out") == there and file_sha256(tmp_path / "out/1/copy") == there
    peaks = {name: memory(node, "VmHWM") for name, node in cluster.nodes.items()}
    print(f"{LARGE_MIB} MiB in {took:.0f} s: the client had {peak >> 20} MiB, nodes "
          + ", ".join(f"{it >> 20}" for it in peaks.values()))
    if not SANITIZED:  # which keep what is freed
        assert peak < CLIENT_PEAK and max(peaks.values()) < NODE_PEAK, (peak, peaks)


@pytest.fixture
def small_scratch(tmp_path):
    """A directory on a disk of 40 MiB."""
    path = tmp_path / "scratch"
    path.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "none", path], check=False,
                                           stderr=subprocess.DEVNULL).returncode:
        pytest.skip("it takes the right to mount")
    yield path
    subprocess.run(["umount", "-l", path], check=False)


def test_files_for_which_a_disk_has_no_room_fail_their_task_and_no_more(make_cluster, small_scratch, tmp_path):
    """With 24 MiB they are there once, and not beside the task's own copy; with 48 MiB not even that."""
    cluster = make_cluster(scratch=small_scratch, slots=1)
    cluster.start()
    cluster.wait_healthy()
    for mib, reason in (24, "disk full: cannot put file-24"), (48, "disk full: no room for its files"):
        make_file(tmp_path / f"file-{mib}", mib)
        (tmp_path / f"small-{mib}").write_text("small\n")
        done = of(cluster, tmp_path, "--files", f"*-{mib}", "--slots", "1", "--", "wc", "-c")
        assert (done.returncode, done.stdout) == (FAILED, f"6 small-{mib}\n"), done.stderr
        row = json.loads(cluster.ok("job", "tasks", job_of(done.stderr), "--failed", "--json"))
        assert row["input"] == f"file-{mib}" and row["reason"].startswith(reason[:47]), row
    assert {row["alive"] for row in cluster.status()["nodes"]} == {True}
    again = of(cluster, tmp_path, "--files", "small-*", "--", "wc", "-c")
    assert (again.returncode, again.stdout) == (OK, "6 small-24\n6 small-48\n"), again.stderr

"""Files that go with tasks of `conclave map`: each task's own (--files), and those of all (--upload)."""
import hashlib
import json
import os

from harness import FAILED, OK, USAGE

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


def test_what_cannot_go_is_named_and_nothing_is_submitted(cluster, tmp_path):
    before = cluster.ok("value", "list"), cluster.ok("job", "list")
    (tmp_path / "file").write_text("1")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "dir").mkdir()
    (tmp_path / "dir/x").write_text("1")
    with open(tmp_path / "long", "w") as long:
        long.truncate((64 << 20) + 1)
    for words, line in [
        (["--files", "*"], "dir is no regular file"),
        (["--files", "l*"], "--files: link is a symbolic link: give the file that it leads to"),
        (["--files", "long"], "--files: long is too long: the files of a task have at most 64.0 MiB together"),
        (["--upload", "file", "--upload", "dir", "--files", "file"], "--upload: dir is a directory"),
        (["--upload", "none", "--files", "file"], "--upload: none cannot be read: No such file"),
        (["--upload", "link", "--files", "file"], "--upload: link is a symbolic link"),
        (["--upload", "file", "--files", "file"], "--files: file has no place beside the upload file"),
        (["--upload", "dir/x", "--upload", tmp_path / "dir/x", "--upload", "./dir/x", "--files", "file"],
         "--upload: ./dir/x has no place beside the upload dir/x"),
        (["--upload", "/dev/null", "--files", "file"], "--upload: /dev/null is no regular file"),
    ]:
        done = of(cluster, tmp_path, *words, "--", "true")
        assert done.returncode == USAGE and line in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert (cluster.ok("value", "list"), cluster.ok("job", "list")) == before

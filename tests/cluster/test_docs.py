"""The examples of docs/jobs.md: what stands there after `$ ` is typed, and what comes back is what stands there."""
import os
import re
import subprocess

import harness

CLUSTER = {"nodes": 3, "slots": 1}
PLACES = (  # what is another one each time
    (re.compile(r"\b\d+-\d+\b"), "4-17"),
    (re.compile(r"^merge: value:[0-9a-f]{16}$", re.MULTILINE), "merge: value:f1b3e8247d2bfb6b"),  # it has the time in it
    (re.compile(r"uploaded (?:in [0-9.]+s|before) as"), "uploaded as"),
)


def steps(page):
    """(command, what it prints) of each block of the kind console."""
    for block in re.findall(r"^```console\n(.*?)^```$", page, re.DOTALL | re.MULTILINE):
        for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, printed = step.partition("\n")
            yield command, printed


def plain(text):
    for pattern, instead in PLACES:
        text = pattern.sub(instead, text)
    return "".join(line.rstrip() + "\n" for line in sorted(text.splitlines()))


def test_what_docs_jobs_md_says_is_what_happens(cluster, tmp_path):
    page = (harness.ROOT / "docs/jobs.md").read_text(encoding="utf-8")
    environment = cluster.environment(PATH=f"{harness.BIN}:{os.environ['PATH']}")
    found = list(steps(page))
    assert len(found) > 20
    for command, printed in found:
        done = subprocess.run(["/bin/sh", "-c", command], cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=harness.seconds(30), check=False)
        assert plain(done.stdout) == plain(printed), command

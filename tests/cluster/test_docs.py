"""The examples of README and docs: what stands there after `$ ` is typed into one shell, and what comes back is what stands there
(tests/tools/pasted.py)."""
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

import pytest

import harness
from web import Web

sys.path.insert(0, str(harness.ROOT / "tests/tools"))
import pasted  # noqa: E402  pylint: disable=wrong-import-position

CLUSTER = {"nodes": 3, "slots": 1}
PAGES = sorted(str(path.relative_to(harness.ROOT)) for path in [harness.ROOT / "README.md", *(harness.ROOT / "docs").glob("*.md")])
OURS = {"docs/jobs.md"}  # runs against the cluster of the tests; the others begin with one of their own


def read(page):
    return (harness.ROOT / page).read_text(encoding="utf-8")


def type_all(page, directory, environment):
    shell = pasted.Shell(directory, environment | {"PATH": f"{harness.BIN}:{os.environ['PATH']}"},
                         command_s=harness.seconds(pasted.COMMAND_S))
    return pasted.type_all(harness.ROOT / page, shell)


def test_what_docs_jobs_md_says_is_what_happens(cluster, tmp_path):
    assert type_all("docs/jobs.md", tmp_path, cluster.environment()) > 20


@pytest.mark.parametrize("page", [page for page in PAGES if page not in OURS and "```console" in read(page)])
def test_what_a_page_says_is_what_happens(make_cluster, tmp_path, page):
    """In a directory of its own, with ports of its own; whatever the page started is ended by its mark."""
    ports = make_cluster(nodes=6, insecure=True)
    environment = harness.clean_environment(ports.mark, CONCLAVE_PORT=str(ports.port))
    try:
        type_all(page, tmp_path, environment)
    finally:
        harness.end_marked(ports.mark)


def more_of_the_readme():
    """The rows of "More to try": a command, and what it does."""
    block = re.search(r"^More to try.*?^```\n(.*?)^```$", read("README.md"), re.DOTALL | re.MULTILINE).group(1)
    return [re.split(r" {2,}", row)[0] for row in block.splitlines()]


MORE_FILES = {"JOBS": "factorial 10\nprimorial 30\n", "numbers.txt": "12\n-5\n7\n", "moduli.txt": "f\n15\n4d\n", "FILE": "any\n"}


@pytest.mark.parametrize("row", more_of_the_readme())
def test_more_to_try_can_be_tried(cluster, make_cluster, tmp_path, row):
    for name, text in MORE_FILES.items():
        (tmp_path / name).write_text(text)
    ports = make_cluster(nodes=6, insecure=True)
    command = re.sub(r"--port \d+", f"--port {ports.port}", row)
    environment = cluster.environment() if command == row else harness.clean_environment(ports.mark)
    where = re.search(r"--dir (\w+)", command)
    # A file that is followed never ends.
    following = "--follow" in command
    if following:
        command += " --timeout 2s"

    def run(line):
        return subprocess.run(shlex.split(line), cwd=tmp_path, env=environment | {"PATH": f"{harness.BIN}:{os.environ['PATH']}"},
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=harness.seconds(60), check=False)
    try:
        done = run(command)
        assert done.returncode == (harness.TIMEOUT if following else 0), done
        assert done.stdout or "--output" in command, done
        if where:
            submitted = run(f"conclave submit factorial 10 --dir {where.group(1)}")
            assert "10!=3628800" in submitted.stdout, submitted
            assert run(f"conclave down --dir {where.group(1)}").returncode == 0
    finally:
        harness.end_marked(ports.mark)


@pytest.mark.skipif(not shutil.which("curl"), reason="no curl")
def test_what_the_readme_asks_of_the_web_is_answered(cluster, tmp_path):
    """Its second block with a browser's address in it, against a web process on a port of its own."""
    block = re.search(r"^\$ conclave web\n.*?^```$", read("README.md"), re.DOTALL | re.MULTILINE).group(0).replace("\\\n", " ")
    web = Web(cluster)
    (tmp_path / ".conclave").mkdir()
    (tmp_path / ".conclave/web.token").write_text(web.token)
    answers = [subprocess.run(["sh", "-c", line[2:].replace(":7080", f":{web.port}")], cwd=tmp_path, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=harness.seconds(20), check=True).stdout
               for line in block.splitlines() if line.startswith("$ curl")]
    metrics, submitted = answers
    assert "conclave_jobs" in metrics
    assert json.loads(submitted)["id"] in cluster.ok("job", "list")


@pytest.mark.parametrize("page", PAGES)
def test_every_block_with_commands_is_run_or_says_why_not(page):
    for block in pasted.FENCED.finditer(read(page)):
        if block["kind"] in ("console", "c", "python", "json", "yaml"):
            assert not block["why"], f"{page}: is run, and says that it is not: {block['text'][:80]}"
            continue
        assert block["why"] or not pasted.COMMAND.search(block["text"]), f"{page}: neither run nor explained:\n{block['text'][:200]}"


def anchors(text):
    """What headings are called in links: as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", pasted.FENCED.sub("", text), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    base = pathlib.Path(page).parent
    for target in re.findall(r"\]\(([^)\s]+)\)", read(page)):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        file = harness.ROOT / (base / name if name else page)
        assert file.exists(), f"{page}: {target}"
        assert not anchor or anchor in anchors(file.read_text(encoding="utf-8")), f"{page}: {target}"


@pytest.fixture(scope="module", name="targets")
def targets_fixture():
    """The lines of `make help`, by target."""
    lines = subprocess.run(["make", "-s", "help"], cwd=harness.ROOT, capture_output=True, text=True,
                           timeout=harness.seconds(60), check=True).stdout.splitlines()
    assert max(map(len, lines)) < 80, "it fits a terminal"
    return {line.split()[0] for line in lines if not line.startswith(" ")}


@pytest.mark.parametrize("page", [*PAGES, "CONTRIBUTING.md", "clients/python/README.md"])
def test_what_is_made_can_be_made(targets, page):
    for words in re.findall(r"(?:`|\$ )make ((?:[A-Z_]+=\S+ )*[a-z][a-z-]*)\b(?![/.])", read(page)):
        assert words.split()[-1] in targets, f"{page}: make {words}"

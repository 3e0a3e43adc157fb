"""The examples of README and docs: what stands there after `$ ` is typed into one shell, and what comes back is what stands there,
but for times, ids and which node does what.

A block ```console is run. Any other block that has commands in it must say before it why it is not: <!-- not run: REASON -->."""
import os
import pathlib
import re
import select
import subprocess
import time
import uuid

import pytest

import harness

CLUSTER = {"nodes": 3, "slots": 1}
PAGES = sorted(str(path.relative_to(harness.ROOT)) for path in [harness.ROOT / "README.md", *(harness.ROOT / "docs").glob("*.md")])
OURS = {"docs/jobs.md"}  # runs against the cluster of the tests; the others begin with one of their own
PLACES = (  # what is another one each time
    (re.compile(r"\b\d+-[0-9a-f]{16}-\d+\b"), "ID"),
    (re.compile(r"\b\d+-\d+\b(?!-)"), "ID"),
    (re.compile(r"^( +\d+ +)[0-9a-f]{8} +\d+ +\d+ \(\d+\)", re.MULTILINE), r"\1CLUSTER T N (T)"),  # of `recover`
    (re.compile(r"\bentry \d+ of term \d+"), "entry N of term T"),
    (re.compile(r"\bnow [0-9a-f]{8}, in term \d+"), "now CLUSTER, in term T"),
    (re.compile(r"^merge: value:[0-9a-f]{16}$", re.MULTILINE), "merge: value:HASH"),  # it has the time in it
    (re.compile(r"uploaded (?:in [0-9.]+s|before) as"), "uploaded as"),
    (re.compile(r"\bnode \d+ is the coordinator in term \d+"), "node N is the coordinator in term T"),
    (re.compile(r"\bcoordinator  node \d+ in term \d+"), "coordinator  node N in term T"),
    (re.compile(r"\bnode \d+ coordinates (\d+) nodes in term \d+"), r"node N coordinates \1 nodes in term T"),
    (re.compile(r"\bID \d\d:\d\d:\d\d"), "TIME"),  # after the rule above has taken the date
    (re.compile(r"\b\d+(?:\.\d+)?(?:ms|s)\b"), "TOOK"),
    (re.compile(r"\d+ executed"), "N executed"),
    (re.compile(r"\d+ hold \d+ messages"), "N hold N messages"),
    (re.compile(r"^( +\d+ \w+ +\S+ +)\d+( +\d+ exit)", re.MULTILINE), r"\1N\2"),  # the node of a task
    (re.compile(r"^export CONCLAVE_BROKER=.*\n", re.MULTILINE), ""),  # said of ports that are not 7000
    (re.compile(r"^bash: line .*\n", re.MULTILINE), ""),  # what a shell says of what it has started
    (re.compile(r" +"), " "),
)
FENCED = re.compile(r"(?:<!-- not run: (?P<why>.+?) -->\n)?^```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
COMMAND = re.compile(r"^(?:\$ |conclave |conclave-node |conclave-broker |make |docker |sudo |curl |apt)", re.MULTILINE)


def read(page):
    return (harness.ROOT / page).read_text(encoding="utf-8")


def steps(page):
    """(command, what it prints) of each block of the kind console."""
    for block in FENCED.finditer(page):
        if block["kind"] != "console":
            continue
        for step in re.split(r"^\$ ", block["text"], flags=re.MULTILINE)[1:]:
            command, _, printed = step.partition("\n")
            yield command, printed


def plain(text):
    for pattern, instead in PLACES:
        text = pattern.sub(instead, text)
    return "".join(line.rstrip() + "\n" for line in sorted(text.splitlines()))


class Shell:
    """One bash, into which lines are pasted."""

    def __init__(self, directory, environment):
        self.process = subprocess.Popen(["bash", "--norc", "--noprofile"], cwd=directory, env=environment, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def run(self, line):
        end = f"END-{uuid.uuid4()}\n"
        self.process.stdin.write(f"{line}\necho {end}".encode())
        self.process.stdin.flush()
        written, until = b"", time.monotonic() + harness.seconds(40)
        while not written.endswith(end.encode()):
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, until - time.monotonic()))
            piece = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            assert piece, f"no end of: {line}\n{written.decode()}"
            written += piece
        return written[:-len(end)].decode()

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(timeout=harness.seconds(20))
        except subprocess.TimeoutExpired:
            self.process.kill()


def type_all(page, directory, environment):
    shell = Shell(directory, environment | {"PATH": f"{harness.BIN}:{os.environ['PATH']}"})
    n = 0
    try:
        for command, printed in steps(read(page)):
            written = shell.run(command)
            assert plain(written) == plain(printed), f"{page}: {command}\n--- printed\n{written}--- in the page\n{printed}"
            n += 1
    finally:
        shell.close()
    assert n
    return n


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


@pytest.mark.parametrize("page", PAGES)
def test_every_block_with_commands_is_run_or_says_why_not(page):
    for block in FENCED.finditer(read(page)):
        if block["kind"] in ("console", "c", "python", "json", "yaml"):
            assert not block["why"], f"{page}: is run, and says that it is not: {block['text'][:80]}"
            continue
        assert block["why"] or not COMMAND.search(block["text"]), f"{page}: neither run nor explained:\n{block['text'][:200]}"


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    base = pathlib.Path(page).parent
    for target in re.findall(r"\]\(([^)\s]+)\)", read(page)):
        if "://" in target or target.startswith("#"):
            continue
        assert (harness.ROOT / base / target.partition("#")[0]).exists(), f"{page}: {target}"

"""The examples of README and docs: what stands there after `$ ` is typed into one shell, and what comes back is what stands there
(tests/tools/pasted.py)."""
import os
import pathlib
import re
import sys

import pytest

import harness

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


@pytest.mark.parametrize("page", PAGES)
def test_every_block_with_commands_is_run_or_says_why_not(page):
    for block in pasted.FENCED.finditer(read(page)):
        if block["kind"] in ("console", "c", "python", "json", "yaml"):
            assert not block["why"], f"{page}: is run, and says that it is not: {block['text'][:80]}"
            continue
        assert block["why"] or not pasted.COMMAND.search(block["text"]), f"{page}: neither run nor explained:\n{block['text'][:200]}"


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    base = pathlib.Path(page).parent
    for target in re.findall(r"\]\(([^)\s]+)\)", read(page)):
        if "://" in target or target.startswith("#"):
            continue
        assert (harness.ROOT / base / target.partition("#")[0]).exists(), f"{page}: {target}"

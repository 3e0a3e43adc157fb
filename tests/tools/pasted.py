#!/usr/bin/python3
"""What stands in a page after `$ ` is typed into one shell, and what comes back is what stands there, but for times, ids and which
node does what. For tests/cluster/test_docs.py, and for programs that are installed:

    pasted.py PAGE [SHELL WORD...]      SHELL reads commands on stdin (default: bash, in a new empty directory)

A block ```console is run. Any other block that has commands in it must say before it why it is not: <!-- not run: REASON -->."""
import os
import pathlib
import re
import select
import subprocess
import sys
import tempfile
import time
import uuid

BASH = ("bash", "--norc", "--noprofile")
COMMAND_S = 40  # of one command: the longest of the pages take two or three
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


def steps(text):
    """(command, what it prints) of each block of the kind console."""
    for block in FENCED.finditer(text):
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
    """One shell, into which lines are pasted."""

    def __init__(self, directory, environment, words=BASH, command_s=COMMAND_S):
        self.command_s = command_s
        self.process = subprocess.Popen(words, cwd=directory, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)

    def run(self, line):
        end = f"END-{uuid.uuid4()}\n"
        self.process.stdin.write(f"{line}\necho {end}".encode())
        self.process.stdin.flush()
        written, until = b"", time.monotonic() + self.command_s
        while not written.endswith(end.encode()):
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, until - time.monotonic()))
            piece = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            assert piece, f"no end of: {line}\n{written.decode()}"
            written += piece
        return written[:-len(end)].decode()

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(timeout=self.command_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def type_all(page, shell):
    """Types all of a page (its path), and closes the shell. Returns how many commands there were: at least one. Raises
    AssertionError for the first one that says something else."""
    n = 0
    try:
        for command, printed in steps(pathlib.Path(page).read_text(encoding="utf-8")):
            written = shell.run(command)
            assert plain(written) == plain(printed), f"{page}: {command}\n--- printed\n{written}--- in the page\n{printed}"
            n += 1
    finally:
        shell.close()
    assert n, f"{page}: there are no commands"
    return n


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    page, words = sys.argv[1], sys.argv[2:]
    with tempfile.TemporaryDirectory(prefix="conclave-pasted.") as directory:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("CONCLAVE_")}
        try:
            n = type_all(page, Shell(None if words else directory, environment, words or BASH))
        except AssertionError as fault:
            sys.exit(str(fault))
    print(f"{page}: what stands there is what {n} commands print")


if __name__ == "__main__":
    main()

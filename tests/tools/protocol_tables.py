#!/usr/bin/python3
"""Keeps docs/protocol.md in step with the code.

  protocol_tables.py TABLES_PROGRAM          is it up to date?
  protocol_tables.py TABLES_PROGRAM --write  bring the tables up to date

The tables stand between two marks in the document; TABLES_PROGRAM prints them from the schema. The
Python clients in the document have to be those that tests/cluster/test_failure.py runs.
"""
import pathlib
import re
import subprocess
import sys
import textwrap

DOCUMENT = pathlib.Path("docs/protocol.md")
CLIENTS = pathlib.Path("tests/cluster/test_failure.py")
BEGIN, END = "<!-- tables: begin -->\n", "<!-- tables: end -->\n"


def main():
    tables = subprocess.run([sys.argv[1]], check=True, capture_output=True, text=True).stdout
    text = DOCUMENT.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    wanted = f"{before}{BEGIN}{tables}\n{END}{after}"
    if "--write" in sys.argv:
        DOCUMENT.write_text(wanted, encoding="utf-8")
    elif text != wanted:
        sys.exit(f"{DOCUMENT} has old tables: make protocol-tables")
    headings = {heading.lower().replace(" ", "-") for heading in re.findall(r"^#+ ([\w -]+?) *$", wanted, re.M)}
    dead = sorted(set(re.findall(r"\]\(#([\w-]+)\)", wanted)) - headings)
    if dead:
        sys.exit(f"{DOCUMENT} refers to headings that it does not have: {', '.join(dead)}")
    for name in ("SUBMITTER", "TAILER", "SIGNER"):
        found = re.search(name + r' = textwrap\.dedent\("""(.*?)"""\)', CLIENTS.read_text(encoding="utf-8"), re.S)
        if not found or textwrap.dedent(found[1]).replace("\\\\", "\\").strip() not in text:
            sys.exit(f"{DOCUMENT} lacks the client {name} as {CLIENTS} runs it")
    print(f"docs: {DOCUMENT} is as the schema and the tests have it")


if __name__ == "__main__":
    main()

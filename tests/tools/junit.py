"""What pytest's results say: junit.py failed FILE... | junit.py sum FILE... [-- FILE OF THE REPETITION]

failed: the tests that failed, a line each, as pytest takes them.
sum: "passed failed"; a test that failed and passed when repeated is named and counts as passed.
"""
import pathlib
import sys
import xml.etree.ElementTree as tree


def cases(path):
    """(name as pytest takes it, "passed"|"failed"|"skipped") of every test in a file of results."""
    for case in tree.parse(path).getroot().iter("testcase"):
        bad = case.find("failure") is not None or case.find("error") is not None
        outcome = "failed" if bad else "skipped" if case.find("skipped") is not None else "passed"
        yield f"{case.get('classname').replace('.', '/')}.py::{case.get('name')}", outcome


def main():
    verb, *files = sys.argv[1:]
    files, again = (files[:files.index("--")], files[files.index("--") + 1:]) if "--" in files else (files, [])
    # A test whose fixture fails as well at its end is there twice: the worse counts.
    outcomes = {}
    for name, outcome in (case for file in files if pathlib.Path(file).exists() for case in cases(file)):
        outcomes[name] = "failed" if "failed" in (outcome, outcomes.get(name)) else outcome
    failed = [name for name, outcome in outcomes.items() if outcome == "failed"]
    if verb == "failed":
        print("\n".join(failed))
        return
    if again and pathlib.Path(again[0]).exists():
        repeated = dict(cases(again[0]))
        unsteady = [name for name in failed if repeated.get(name) == "passed"]
        for name in unsteady:
            print(f"UNSTEADY {name}: failed, and passed when repeated", file=sys.stderr)
            outcomes[name] = "passed"
    print(sum(it == "passed" for it in outcomes.values()), sum(it == "failed" for it in outcomes.values()))


main()

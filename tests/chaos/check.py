#!/usr/bin/python3
"""Judges a history that was recorded: a table for people, and as files JSON and a timeline.

  check.py HISTORY [--json FILE] [--svg FILE]

Nothing of the cluster is needed for it. Exit status 0 when all holds; 1 when something is violated, and when something is
unknown: unknown is no pass. 2: the file is no history.
"""
import argparse
import json
import pathlib
import sys

import history as histories
import timeline
import verdict


def report(history, json_file=None, svg_file=None):
    """Prints the table and writes the files that are wanted; returns the verdict as JSON has it."""
    result = verdict.judge(history)
    print(verdict.table(result), flush=True)
    if json_file:
        pathlib.Path(json_file).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if svg_file:
        pathlib.Path(svg_file).write_text(timeline.svg(history, result), encoding="utf-8")
    return result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("history")
    parser.add_argument("--json", help="the verdict goes there")
    parser.add_argument("--svg", help="the timeline goes there")
    arguments = parser.parse_args()
    try:
        history = histories.load(arguments.history)
    except (histories.Malformed, OSError) as error:
        print(f"check.py: {arguments.history}: {error}", file=sys.stderr)
        return 2
    return 0 if report(history, arguments.json, arguments.svg)["verdict"] == verdict.HOLDS else 1


if __name__ == "__main__":
    sys.exit(main())

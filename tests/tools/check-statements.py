#!/usr/bin/python3
"""Every statement that must be shown to hold is named in a test.

A test names a statement at the end of its own name (..._R9, ..._r9), a trace in a comment.

  check-statements.py           silent when all are named; else names those that are not, exit status 1
  check-statements.py --list    every statement with the tests that name it
"""

import collections
import glob
import re
import sys

STATEMENTS = {
    "R1": "term and vote are durable before a message of the term leaves",
    "R2": "late, double and foreign votes never count",
    "R3": "a vote only for a log as complete as the voter's",
    "R4": "a coordinator grants no vote in its own term",
    "R5": "pre-votes change nothing, and are refused while a coordinator lives",
    "R6": "a partial mesh keeps its terms, and commits go on",
    "R7": "a coordinator that nobody answers steps down",
    "R8": "stepping down answers 'unknown', never 'failed'",
    "R9": "only entries of the own term commit by counting (Raft figure 8)",
    "R10": "no read or dispatch before the first commit of the own term",
    "R11": "a read needs a majority's answers to that very attempt",
    "R12": "no leases by clocks",
    "R13": "a coordinator that was stopped serves nothing stale",
    "R14": "duplicates and reordering turn term, commit and match never back",
    "R15": "a follower commits no further than it has verified",
    "R16": "what was compacted is not applied again",
    "R17": "where the base is compacted, the checkpoint is sent",
    "R18": "an install advances no commit before its end; one follows another",
    "R19": "a crash between any two steps of an install is harmless",
    "R20": "a compacted request is still committed",
    "R21": "a failed send to one peer stops no heartbeats to others",
    "R22": "a wiped node does not vote before it has caught up",
    "R23": "a torn last record is dropped, other damage is refused by name",
    "R24": "a failed fsync: no ack, no retry, exit",
    "R25": "disk full: clear refusals, votes persist, recovery",
    "R26": "jumps of the wall clock elect nobody and expire nothing",
    "R27": "4 voters need 3, 2 need 2; halves elect nobody and heal",
    "R28": "a retry at a new coordinator gets the same job and bytes",
    "R29": "a forgotten key is an error, never a second execution",
    "R30": "founding happens once, by all voters or `conclave init`; kills at any step are repaired",
    "R31": "an empty disk counts for nothing until its admission is committed and applied",
    "R33": "nodes, voters and cluster of a store are what they were at founding",
    "R32": "a wiped majority serves nothing until `conclave recover`; old disks are fenced",
    "R35": "a coordinator whose waiting entries stand still for 4 T steps down",
    "R36": "check and status name who is behind or stalls, and how many more may fail",
    "R37": "a value that is missing or rotten on one disk comes from another; reads check hashes",
    "V1": "a segment of a stored value is acknowledged when it is committed, its bytes on the disks of a majority",
    "V2": "a stored value that a job names is there until the job is forgotten",
    "V3": "the age of stored values counts once, by the log",
    "S1": "recording and enqueuing all markers is one step",
    "S2": "no message behind a marker is processed before recording",
    "S3": "recorded is what came after the cut and before the marker",
    "S4": "a lost message delays the marker, a second one does nothing",
    "S5": "the same incarnation's channel resumes, a new one's is void",
    "S6": "late markers start nothing",
    "S7": "any number of snapshots at once, each whole",
    "S8": "ids are unique across restarts and wiped disks",
    "S9": "the marker carries the participants",
    "S10": "what is recorded is capped, and beyond that given up with a reason",
    "S11": "complete is all markers and all reports; a dead initiator frees all",
    "S12": "a partial snapshot names the missing nodes and channels",
    "S13": "no receipt without its sending",
    "S14": "balances and channels come to the total",
    "S15": "restored twice is restored alike, with the same sum",
    "S16": "after healing a snapshot completes within a bound",
    "T1": "a result without an open operation is acknowledged and discarded",
    "T2": "a node that returns is a new worker",
    "T3": "nothing stays assigned to a departed worker",
    "T4": "only the operation executing at death is suspected",
    "T5": "three deaths fail the job with the reason",
    "T6": "deliberate stops and injected failures are no poison",
    "T7": "a live operation of ten minutes is not lost",
    "T8": "no redelivery timeout shorter than an operation",
    "T9": "the first result wins; copies are capped and cancelled",
    "T10": "large results move in chunks with hash and resume",
    "T11": "under memory pressure: throttle, pause, hand work back",
    "T12": "restarts back off with jitter; votes never queue behind bulk data",
    "T13": "after a restart every accepted job is present once",
    "T14": "a worker that fails fast does not drain the queue",
    "T18": "a command's processes end with it, with its job and with the node, kill -9 included",
    "T20": "a recomputed value is byte-identical and counts nothing again",
    "T22": "values that a worker holds stay below its limit of memory: others are on its disk, and are read when needed",
    "W1": "each request to the outside ends in one event for each consumer",
    "W2": "no wait without a deadline and a way to be seen",
    "W3": "nobody cancels, redirects or swallows for another",
    "W4": "every value on a node's disk is named by its state",
    "W5": "every queue and every replicated table has a bound and a policy",
    "W6": "finished jobs and their results are forgotten by count, bytes and hand, the same ones on every node",
    "X1": "without a handler, with an unknown key or without one: refused",
    "X2": "a client's key cannot vote or append, a node's key speaks for its own id alone",
    "X3": "a stolen routing id mutes nobody",
    "X4": "sizes, handshakes, queues and connections are bounded, sealed or not",
    "X5": "idle and senseless connections block nobody",
    "X6": "msgpack bombs are refused without allocating",
    "X7": "a job beyond any limit is refused before any work",
    "X9": "logs escape control bytes and print no keys; key files are closed to others",
    "X10": "terms, sequences and lengths out of range are refused",
    "X11": "files on disk are not trusted",
    "X8": "a key has a share of its own, and takes nobody else's",
    "X12": "a revoked key loses established connections and subscriptions",
    "X13": "a broker's key can make no request of an admin",
    "X14": "objects have owners: what is another's does not exist",
    "X15": "terms move by elections only: no message of one peer raises one by more",
    "X16": "every change leaves a line",
}

PLACES = ("tests/unit/test_*.c", "tests/sim/*.c", "tests/trace/*.txt", "tests/cluster/*.py")

# At the end of a test's name: ..._R9( or ..._R9_R10,
IN_NAME = re.compile(r"[a-z0-9]((?:_[RSTVWXrstvwx]\d+)+)(?=\W)")
# In a comment of a trace: "# R9: ...", "(R9)", "(R9, Raft 5.4.2)", "(R16 to R20; ...". Elsewhere R1
# is an operation of a plan.
IN_COMMENT = re.compile(r"(?:^# |[(;,] ?)([RSTVWX]\d+)(?=[:,);]| to )")


def names_in(path):
    """Statement -> the first line that names it."""
    found = {}
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if path.endswith(".txt"):
                names = IN_COMMENT.findall(line) if line.startswith("#") else []
            else:
                names = "".join(IN_NAME.findall(line)).upper().split("_")
            for name in names:
                found.setdefault(name, number)
    return found


def main():
    tests = collections.defaultdict(list)
    for place in PLACES:
        for path in sorted(glob.glob(place)):
            for name, number in names_in(path).items():
                tests[name].append(f"{path}:{number}")
    missing = [name for name in STATEMENTS if not tests[name]]
    if "--list" in sys.argv[1:]:
        for name, text in STATEMENTS.items():
            print(f"{name:4} {text}")
            for test in tests[name] or ["nobody tests it"]:
                print(f"       {test}")
        return 0
    for name in missing:
        print(f"{name} ({STATEMENTS[name]}) is named in no test", file=sys.stderr)
    if not missing:
        print(f"statements: {len(STATEMENTS)} are each named in a test")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())

"""Histories: what each client asked and was answered, when, on one monotonic clock; and what was done to the cluster.

A history is a file of JSON lines. Each has `t`, nanoseconds of CLOCK_MONOTONIC, which all processes of a machine share and no
jump of the wall clock moves, and `type`:

  run      the seed, the sizes and the build: whatever names the run
  invoke   process `p` begins operation `f` with `args`; taken before anything is sent
  ok       it has an answer, `result`, that settles it; taken after the answer arrived
  fail     it certainly had no effect
  info     unknown: it may take effect at any later time, or never. An operation whose end is missing is unknown, too
  fault    `phase` begin of trouble `f`, with the number `id`, taken when it was done (the signal was sent), or end, taken when it
           was undone; `nodes`, `coordinator`: whether it hit that one
  wipe     `phase` begin or end: node `node` loses its disk in between; `lost`, what its accounts had
  feed     a heartbeat or an event, as a node published it
  sample   what node `node` took at this moment: `memory` and `disk` in bytes, `descriptors`
  mark     a moment of the run: `f` is `load` (clients began), `healed` (trouble ended), `end` ...

Times err to one side: an interval is never shorter than what it stands for, so that a check of the order of operations may
miss something, but accuses nobody wrongly.
"""
import json
import threading
import time

COMPLETIONS = ("ok", "fail", "info")
NEVER = float("inf")      # the end of an operation whose outcome is unknown


class Malformed(Exception):
    """This is no history: nothing can be concluded from it."""


class Recorder:
    """Writes a history. Any thread may call it."""

    def __init__(self, path):
        self.file = open(path, "w", encoding="utf-8")
        self.lock = threading.Lock()
        self.counts = {}      # completions by (f, type), so that a run can wait for work to be done

    def write(self, kind, at=None, **fields):
        line = json.dumps({"t": at or time.monotonic_ns(), "type": kind} | fields, separators=(",", ":"))
        with self.lock:
            if not self.file.closed:
                self.file.write(line + "\n")

    def invoke(self, process, f, args):
        self.write("invoke", p=process, f=f, args=args)

    def complete(self, process, f, outcome, **fields):
        """`outcome`: one of COMPLETIONS."""
        at = time.monotonic_ns()
        with self.lock:
            self.counts[f, outcome] = self.counts.get((f, outcome), 0) + 1
        self.write(outcome, at, p=process, f=f, **fields)

    def count(self, f, outcome="ok"):
        with self.lock:
            return self.counts.get((f, outcome), 0)

    def mark(self, name, **fields):
        self.write("mark", f=name, **fields)

    def close(self):
        with self.lock:
            self.file.close()


class Op:
    """One operation: `ret` is NEVER when its outcome is unknown."""
    __slots__ = ("process", "f", "args", "result", "call", "ret", "fields", "failed")

    def __init__(self, process, f, args, call, ret=NEVER, result=None, fields=None, failed=False):
        self.process, self.f, self.args, self.result = process, f, args, result
        self.call, self.ret, self.fields, self.failed = call, ret, fields or {}, failed

    @property
    def ok(self):
        return self.ret != NEVER and not self.failed

    @property
    def unknown(self):
        return self.ret == NEVER

    def as_unknown(self, f=None, args=None):
        """The same with an unknown outcome."""
        return Op(self.process, f or self.f, self.args if args is None else args, self.call)

    def __repr__(self):
        end = "?" if self.unknown else f"{self.ret / 1e9:.6f}"
        outcome = "failed" if self.failed else "unknown" if self.unknown else self.result
        return f"{self.process} {self.f} {self.args} -> {outcome}  [{self.call / 1e9:.6f} .. {end}]"


class History:
    """A history that was read: operations in the order of their calls, and the lines about all else in order of
    time."""

    def __init__(self):
        self.run, self.ops, self.faults, self.wipes, self.feed, self.marks = {}, [], [], [], [], {}
        self.samples = []
        self.cut_short = False

    def completed(self, f=None):
        return [op for op in self.ops if op.ok and f in (None, op.f)]


def load(path):
    """Reads a file; raises Malformed. A last line that was cut off is not there: what it ends is unknown."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    lines = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            lines.append(json.loads(line))
        except ValueError as error:
            if number == text.count("\n") + 1:
                history = parse(lines)
                history.cut_short = True
                return history
            raise Malformed(f"line {number}: {error}") from error
    return parse(lines)


def parse(lines):
    """A history from lines in the order in which they were written, that is for each process in the order of time."""
    history, open_ops = History(), {}
    for line in lines:
        if not isinstance(line, dict) or "type" not in line or not isinstance(line.get("t"), int):
            raise Malformed(f"a line without type or time: {line}")
        kind = line["type"]
        if kind == "invoke":
            invoke(history, open_ops, line)
        elif kind in COMPLETIONS:
            complete(open_ops, line)
        elif kind == "run":
            history.run |= {k: v for k, v in line.items() if k not in ("t", "type")}
        elif kind == "mark":
            history.marks.setdefault(line["f"], line["t"])
        elif kind in ("fault", "wipe", "feed", "sample"):
            {"fault": history.faults, "wipe": history.wipes, "feed": history.feed, "sample": history.samples}[kind].append(line)
        else:
            raise Malformed(f"a line of unknown type: {line}")
    history.ops.sort(key=lambda op: op.call)
    for part in (history.faults, history.wipes, history.feed, history.samples):
        part.sort(key=lambda line: line["t"])
    return history


def invoke(history, open_ops, line):
    if line["p"] in open_ops:
        raise Malformed(f"{line['p']} calls {line['f']} before it has the answer to {open_ops[line['p']].f}")
    op = Op(line["p"], line["f"], line["args"], line["t"])
    open_ops[line["p"]] = op
    history.ops.append(op)


def complete(open_ops, line):
    op = open_ops.pop(line["p"], None)
    if not op or op.f != line["f"]:
        raise Malformed(f"an end without a beginning: {line}")
    if line["t"] < op.call:
        raise Malformed(f"an end before its beginning: {op}, {line}")
    op.fields = {k: v for k, v in line.items() if k not in ("t", "type", "p", "f", "result")}
    if line["type"] != "info":
        op.ret, op.result, op.failed = line["t"], line.get("result"), line["type"] == "fail"


def pair(lines, key):
    """Begins with their ends: [(begin, end or None)], in order of begin; `key(line)` says what belongs together."""
    pairs, waiting = [], {}
    for line in lines:
        if line["phase"] == "begin":
            waiting[key(line)] = len(pairs)
            pairs.append((line, None))
        elif key(line) in waiting:
            at = waiting.pop(key(line))
            pairs[at] = (pairs[at][0], line)
    return pairs

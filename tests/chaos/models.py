"""What the objects of a cluster promise, each as a sequential object, and which operations concern which of them.

A job, by its key. Absent, then accepted under an id that never changes, then done (with one hash of its digits), failed (with
one reason) or cancelled, and so forever. It ends by itself at any moment, but is cancelled only by a cancel. `queued` and
`running` are one state here: which of the two it is depends on the schedule of one coordinator, and nobody promises it.
The answer to a submit whose key is known is no confirmed read (docs/protocol.md): its id binds, an end that it tells binds,
but that the job was still open is not held against anybody.

The progress: one register for each node, and the snaps, all in one object, so that a snap is one moment of all registers.
Jobs add to the registers by themselves. What is set are multiples of STEP, each of them once in a run, so a value that is
read tells which set it comes from and how much was added since, which never falls until the next set. A snap's id is the
number of snaps before it; a key takes one snap; what reads of that snap tell is what the registers were when it was taken.

A value (kv) of one node: a register. A deletion makes it absent, and so does a wipe of the node's disk.
"""
import bisect
import collections

from history import NEVER, Op, pair

STEP = 10 ** 9           # what jobs add between two sets stays far below
JOBS_KEPT = 10000        # a job may be forgotten when so many ended after it
SNAPS_KEPT = 10000
SNAP_KEYS_KEPT = 1000
ENDS = ("done", "failed", "cancelled")


class Job:
    """States: None (absent), or (id or None if nobody was told yet, status, detail)."""
    initial = None

    def step(self, state, op):
        return getattr(self, op.f)(state, op.result, op)

    @staticmethod
    def observes(op):
        return op.f in ("job_get", "job_result")

    @staticmethod
    def prepare(ops):
        kept = []
        for op in ops:
            if op.f == "job_cancel" and op.ok and op.result.get("state") not in (*ENDS, None):
                op = op.as_unknown()    # its time was over before the job's: the cancel may still take effect
            if not (op.unknown and op.f in ("job_get", "job_result")):
                kept.append(op)
        return kept

    def submit(self, state, result, _):
        if result is None:
            return (state or (None, "open", None),)
        if result.get("forgotten"):
            return self.forgotten(state, result)
        if state and state[0] not in (None, result["job"]):
            return ()
        state = (result["job"], *state[1:]) if state else (result["job"], "open", None)
        return self.look(state, result) if result.get("state") in ENDS else (state,)

    def job_get(self, state, result, op):
        if result.get("forgotten"):
            return self.forgotten(state, result)
        if not state or state[0] not in (None, op.args["job"]) or result["job"] != op.args["job"]:
            return ()
        return self.look((result["job"], *state[1:]), result)

    def job_cancel(self, state, result, op):
        if result is not None and result.get("forgotten"):
            return self.forgotten(state, result)
        if not state:
            return ()
        cancelled = (state[0], "cancelled", None) if state[1] == "open" else state
        if result is None:
            return (cancelled,)
        if result["state"] == "cancelled":
            return self.job_get(cancelled, result, op)
        return self.job_get(state, result, op)

    def job_result(self, state, result, op):
        return self.job_get(state, result, op)

    @staticmethod
    def look(state, row):
        """Nobody looks at an open job and finds it cancelled unless a cancel took effect."""
        seen = detail_of(row)
        if state[1:] == seen:
            return (state,)
        if state[1] == "open" and seen[0] in ("done", "failed"):
            return ((state[0], *seen),)
        return ()

    @staticmethod
    def forgotten(state, result):
        """Only what has ended is forgotten, and only when enough came after it."""
        return ((state[0], "gone", None),) if state and result["allowed"] else ()

    @staticmethod
    def show(state):
        return "no such job" if not state else f"job {state[0]}: {state[1]} {state[2] or ''}".rstrip()


def detail_of(row):
    """(status, detail) as a row of a job tells it."""
    if row["state"] == "done":
        return "done", row["sha256"]
    if row["state"] == "failed":
        return "failed", row.get("error", "")
    return ("cancelled", None) if row["state"] == "cancelled" else ("open", None)


class Progress:
    """States: (for each node (which set, at least so much added since), snaps taken)."""

    def __init__(self, n_nodes):
        self.initial = (((0, 0),) * n_nodes, 0)
        self.known, self.snap_of, self.key_of = {}, {}, {}

    def prepare(self, ops):
        """What each snap had is known from all reads of it. A set that is unknown and was never seen may as well not
        be."""
        for op in ops:
            if op.f == "progress_past" and op.ok and op.result.get("found"):
                self.known.setdefault((op.args["snapshot"], op.args["index"]), op.result["state"])
            elif op.f == "progress_snap" and op.ok and not op.result.get("forgotten"):
                self.snap_of.setdefault(op.args["key"], op.result["snapshot"])
                self.key_of.setdefault(op.result["snapshot"], op.args["key"])
        seen = {value // STEP for value in self.known.values()}
        seen |= {op.result["state"] // STEP for op in ops if op.f == "progress_get" and op.ok}
        return [op for op in ops if op.ok or op.f == "progress_snap" or
                op.f == "progress_set" and op.args["state"] // STEP in seen]

    def step(self, state, op):
        return getattr(self, op.f)(state, op.args, op.result)

    @staticmethod
    def observes(op):
        return op.f in ("progress_get", "progress_past")

    def progress_set(self, state, args, _):
        return (self.put(state, args["index"], divmod(args["state"], STEP)),)

    def progress_get(self, state, args, result):
        after = self.read(state, args["index"], result["state"])
        return (after,) if after and result["snaps"] == state[1] else ()

    def progress_snap(self, state, args, result):
        taken, mine = state[1], self.snap_of.get(args["key"])
        if result is not None and result.get("forgotten"):
            return (state,) if mine is not None and taken - mine > SNAP_KEYS_KEPT else ()
        if result is not None and result["snapshot"] != mine:
            return ()                      # the key has two snaps
        if mine is not None and self.key_of[mine] != args["key"]:
            return ()                      # the snap has two keys
        if mine is None and taken in self.key_of:
            return ()                      # this snap is another key's
        if mine is not None and mine != taken:
            return (state,) if mine < taken else ()
        for index in range(1, len(state[0]) + 1):
            if (taken, index) in self.known:
                state = self.read(state, index, self.known[taken, index])
                if not state:
                    return ()
        return ((state[0], taken + 1),)

    def progress_past(self, state, args, result):
        snapshot, taken = args["snapshot"], state[1]
        if result.get("forgotten"):
            holds = taken - snapshot > SNAPS_KEPT
        elif result["found"]:
            holds = snapshot < taken and result["state"] == self.known[snapshot, args["index"]]
        else:
            holds = snapshot >= taken
        return (state,) if holds else ()

    @staticmethod
    def put(state, index, register):
        registers = list(state[0])
        registers[index - 1] = register
        return (tuple(registers), state[1])

    def read(self, state, index, value):
        """The state after somebody saw the value there; None when it cannot be there."""
        which, added = divmod(value, STEP)
        now = state[0][index - 1]
        if now[0] != which or added < now[1]:
            return None
        return state if added == now[1] else self.put(state, index, (which, added))

    @staticmethod
    def show(state):
        registers = (f"{which}*STEP + {added} or more" for which, added in state[0])
        return f"registers {', '.join(registers)}; {state[1]} snaps"


class Value:
    """States: the value, or None."""
    initial = None

    @staticmethod
    def prepare(ops):
        seen = {op.result["value"] for op in ops if op.f == "kv_get" and op.ok}
        seen |= {None for op in ops if op.f == "kv_del" and op.ok and not op.result["found"]}
        return [op for op in ops if op.ok or op.f == "wipe" or op.f == "kv_put" and op.args["value"] in seen
                or op.f == "kv_del" and op.unknown and None in seen]

    @staticmethod
    def observes(op):
        return op.f == "kv_get"

    @staticmethod
    def step(state, op):
        if op.f == "kv_get":
            return (state,) if state == op.result["value"] else ()
        if op.f == "kv_del" and op.ok and op.result["found"] != (state is not None):
            return ()
        return (op.args["value"] if op.f == "kv_put" else None,)


# --- which operations concern which object ---

JOB_OPS = ("submit", "job_get", "job_cancel", "job_result")
VALUE_OPS = ("kv_put", "kv_get", "kv_del")
PROGRESS_OPS = ("progress_set", "progress_get", "progress_snap", "progress_past")


def partition(history):
    """{name: (model, operations)}."""
    groups = collections.defaultdict(list)
    submits = [op.call for op in history.ops if op.f == "submit"]
    for op in history.ops:
        if op.f in JOB_OPS:
            if op.ok and op.result.get("forgotten"):
                op.result["allowed"] = bisect.bisect_right(submits, op.ret) > JOBS_KEPT
            groups["job", op.args["key"]].append(op)
        elif op.f in PROGRESS_OPS:
            groups["progress", ""].append(op)
        elif op.f in VALUE_OPS:
            groups["kv", (op.args["node"], op.args["name"])].append(op)
    wipes = wipes_of(history)
    objects = {}
    for (kind, which), ops in groups.items():
        if kind == "job":
            objects[f"job {which}"] = Job(), ops
        elif kind == "progress":
            objects["progress"] = Progress(history.run["nodes"]), ops
        else:
            objects[f"kv {which[0]}/{which[1]}"] = Value(), with_wipes(ops, wipes.get(which[0], []))
    return objects


def wipes_of(history):
    """{node: [operation]}."""
    wipes = collections.defaultdict(list)
    for begin, end in pair(history.wipes, lambda line: line["node"]):
        wipes[begin["node"]].append(Op("nemesis", "wipe", {"node": begin["node"]}, begin["t"], end["t"] if end else NEVER))
    return wipes


def with_wipes(ops, wipes):
    """A change that was asked for on both sides of a wipe may take effect on each of them: the keys went with the disk."""
    twice = [op.as_unknown() for op in ops for wipe in wipes
             if op.f in ("kv_put", "kv_del") and not op.failed and op.call < wipe.ret and op.ret > wipe.call]
    return [*ops, *wipes, *twice]

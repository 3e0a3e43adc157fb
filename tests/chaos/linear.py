"""Is a history of one object linearizable? Wing and Gong's search as Lowe made it feasible.

Sources: Wing & Gong, "Testing and verifying concurrent objects" (1993); Lowe, "Testing for linearizability" (2016), whose
just-in-time search this is: events are taken in order of time, and an operation takes effect only when one must return, or
before it because that one needs it. What is kept between two events is the set of all configurations that explain everything
so far: the object's state, and which of the operations under way have taken effect. Two ways to the same configuration are
one (the memoization). The history is linearizable if and only if a configuration is left at its end.

An operation of unknown outcome never returns: it may take effect anywhere after its call, or not at all. So a configuration in
which fewer of them have taken effect, and all else is the same, explains whatever the other one explains: that one is dropped.
Of several that are alike, the first is as good as any. Operations of different objects are checked apart, which loses nothing (Herlihy & Wing 1990, Theorem 1: locality).

A model has
  initial            the state at first; states are hashable values
  step(state, op)    all states after `op` took effect in `state` and gave the answer it has (any answer, if it is unknown);
                     none: it cannot have. More than one: the object may choose
  observes(op)       whether `op` only looks: its effect, if any, only rules out what might have happened later. If such an
                     operation leaves the state as it is, taking it at once is never worse than taking it later
  prepare(ops)       the operations to check: may leave out what cannot matter (optional)
"""
import time

CONFIGURATIONS_MAX = 200000      # a search with more is given up, and its outcome is unknown
SECONDS_MAX = 60
LOOK_EVERY = 512                 # configurations between two looks at the clock
SHOWN_MAX = 5                    # configurations that a counterexample shows

LINEARIZABLE, VIOLATED, UNKNOWN = "linearizable", "violated", "unknown"


class Outcome:
    """What a search found. Only LINEARIZABLE is a pass."""

    def __init__(self, verdict, explored, widest, op=None, pending=(), states=(), why=""):
        self.verdict, self.explored, self.widest = verdict, explored, widest
        self.op, self.pending, self.states, self.why = op, list(pending), list(states), why

    def text(self):
        """For people: the operation that nothing explains, and what there was to explain it."""
        if self.verdict == LINEARIZABLE:
            return f"linearizable ({self.explored} configurations)"
        if self.verdict == UNKNOWN:
            return f"unknown: {self.why} ({self.explored} configurations)"
        lines = [f"no order explains {self.op}"]
        lines += [f"  possible before it: {state}" for state in self.states]
        lines += [f"  under way with it:  {op}" for op in self.pending if op is not self.op]
        return "\n".join(lines)


class GaveUp(Exception):
    pass


class Fewest:
    """Configurations, without those that another one makes superfluous."""

    def __init__(self, unknown):
        self.unknown, self.groups = unknown, {}

    def add(self, one):
        """False when it is superfluous."""
        state, taken = one
        masks = self.groups.setdefault((state, taken & ~self.unknown), [])
        mine = taken & self.unknown
        if any(not mask & ~mine for mask in masks):
            return False
        masks[:] = [mask for mask in masks if mine & ~mask] + [mine]
        return True

    def all(self):
        return {(state, known | mask) for (state, known), masks in self.groups.items() for mask in masks}


class Search:
    def __init__(self, model, seconds, configurations):
        self.model, self.end, self.most = model, time.monotonic() + seconds, configurations
        self.explored = self.widest = 0
        self.pending = {}                      # slot: operation
        self.alike = {}                        # slot of an unknown operation: what those that are like it have as well
        self.free, self.n_slots = [], 0
        self.configurations = {(model.initial, 0)}

    def count(self, n):
        self.explored += 1
        if n > self.most:
            raise GaveUp(f"more than {self.most} configurations")
        if self.explored % LOOK_EVERY == 0 and time.monotonic() > self.end:
            raise GaveUp("out of time")

    def call(self, op):
        if self.free:
            slot = self.free.pop()
        else:
            slot, self.n_slots = self.n_slots, self.n_slots + 1
        self.pending[slot] = op
        if op.unknown:
            self.alike[slot] = op.f, repr(op.args)
        return slot

    def settle(self, state, taken):
        """Takes all operations under way that only look, and see this very state."""
        for slot, op in self.pending.items():
            if not taken >> slot & 1 and op.ok and self.model.observes(op) and \
                    tuple(self.model.step(state, op)) == (state,):
                taken |= 1 << slot
        return state, taken

    def ret(self, slot):
        """The operation in `slot` returns: it has taken effect in every configuration that is kept. Returns whether one
        is."""
        bit, unknown, n = 1 << slot, sum(1 << other for other, op in self.pending.items() if op.unknown), 0
        seen, kept, stack = Fewest(unknown), Fewest(unknown), []
        for one in map(lambda it: self.settle(*it), self.configurations):
            if seen.add(one):
                stack.append(one)
        while stack:
            n += 1
            self.count(n)
            state, taken = stack.pop()
            if taken & bit:
                kept.add((state, taken & ~bit))
                continue
            for other, op in self.to_take(taken):
                for after in self.model.step(state, op):
                    one = self.settle(after, taken | 1 << other)
                    if seen.add(one):
                        stack.append(one)
        kept = kept.all()
        if not kept:
            return False
        del self.pending[slot]
        self.free.append(slot)
        self.configurations = kept
        self.widest = max(self.widest, len(kept))
        self.forget_taken()
        return True

    def to_take(self, taken):
        """Those under way that have not taken effect: of unknown ones that are alike, only the first."""
        seen = set()
        for slot, op in self.pending.items():
            if taken >> slot & 1 or op.unknown and self.alike[slot] in seen:
                continue
            if op.unknown:
                seen.add(self.alike[slot])
            yield slot, op

    def forget_taken(self):
        """An unknown operation that has taken effect in every configuration needs no place any more."""
        in_all = -1
        for _, taken in self.configurations:
            in_all &= taken
            if not in_all:
                return
        for slot in [s for s, op in self.pending.items() if op.unknown and in_all >> s & 1]:
            del self.pending[slot]
            self.free.append(slot)
            self.configurations = {(state, taken & ~(1 << slot)) for state, taken in self.configurations}


def events(ops):
    """Calls and returns in order of time. At the same time calls are first: then the operations overlap, which accuses
    nobody."""
    found = [(op.call, 0, i) for i, op in enumerate(ops)]
    found += [(op.ret, 1, i) for i, op in enumerate(ops) if op.ok]
    return sorted(found)


def check(model, ops, seconds=SECONDS_MAX, configurations=CONFIGURATIONS_MAX):
    """Checks the operations of one object; those that failed had no effect and are left out."""
    ops = [op for op in ops if not op.failed]
    if hasattr(model, "prepare"):
        ops = model.prepare(ops)
    search, slots = Search(model, seconds, configurations), {}
    for _, is_return, i in events(ops):
        if not is_return:
            slots[i] = search.call(ops[i])
            continue
        before = search.configurations
        try:
            explained = search.ret(slots[i])
        except GaveUp as why:
            return Outcome(UNKNOWN, search.explored, search.widest, ops[i], why=str(why))
        if not explained:
            show = getattr(model, "show", repr)
            states = sorted({show(state) for state, _ in before})[:SHOWN_MAX]
            return Outcome(VIOLATED, search.explored, search.widest, ops[i], search.pending.values(), states)
    return Outcome(LINEARIZABLE, search.explored, search.widest)

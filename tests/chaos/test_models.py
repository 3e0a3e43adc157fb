"""What the objects promise: short histories of each, that hold and that do not."""
import random

import pytest

import linear
from history import NEVER, History, Op
from linear import LINEARIZABLE, VIOLATED
from models import JOBS_KEPT, SNAP_KEYS_KEPT, SNAPS_KEPT, STEP, Job, Progress, Value, partition
from test_linear import by_every_order


def op(f, args, call, ret, result=None, process="p"):
    return Op(f"{process}{call}", f, args, call, ret, result)


def verdict(model, *ops):
    return linear.check(model, ops).verdict


# --- jobs ---

def submit(call, ret, job=1, state="running", **more):
    return op("submit", {"key": "k", "spec": "5"}, call, ret, None if ret == NEVER else {"job": job, "state": state} | more)


def look(call, ret, state, job=1, f="job_get", **more):
    return op(f, {"key": "k", "spec": "5", "job": job}, call, ret, {"job": job, "state": state} | more)


def cancel(call, ret, state=None):
    return op("job_cancel", {"key": "k", "spec": "5", "job": 1}, call, ret,
              state and {"job": 1, "state": state, "sha256": "h"})


def gone(call, ret, allowed, f="job_get"):
    return op(f, {"key": "k", "spec": "5", "job": 1}, call, ret, {"forgotten": True, "allowed": allowed})


DONE = {"sha256": "h"}


@pytest.mark.parametrize("holds, ops", [
    (True, [submit(1, 2), look(3, 4, "queued"), look(5, 6, "running"), look(7, 8, "done", **DONE),
            look(9, 10, "done", **DONE)]),
    (True, [submit(1, 2), submit(3, 4), submit(3, 9)]),
    (False, [submit(1, 2), submit(3, 4, job=2)]),                                           # two jobs of one key
    (False, [submit(1, 8), submit(2, 9, job=2)]),
    (False, [submit(1, 2), look(3, 4, "done", **DONE), look(5, 6, "running")]),             # states only move forward
    (True, [submit(1, 2), look(3, 6, "done", **DONE), look(5, 8, "running")]),              # they overlap
    (False, [submit(1, 2), look(3, 4, "done", **DONE), look(5, 6, "done", sha256="other")]),  # the result is fixed
    (False, [submit(1, 2), look(3, 4, "done", **DONE), look(5, 6, "failed", error="e")]),
    (False, [submit(1, 2), look(3, 4, "failed", error="e"), look(5, 6, "failed", error="f")]),
    (False, [look(1, 2, "running"), submit(3, 4)]),                                         # before anybody submitted it
    (True, [submit(1, NEVER), look(3, 4, "running"), submit(5, 6)]),
    (False, [submit(1, NEVER), look(3, 4, "running", job=3), submit(5, 6)]),                # an id never changes
    (True, [submit(1, 2), cancel(3, 4, "cancelled"), look(5, 6, "cancelled")]),
    (True, [submit(1, 2), cancel(3, 4, "done"), look(5, 6, "done", **DONE)]),               # it had ended already
    (False, [submit(1, 2), cancel(3, 4, "cancelled"), look(5, 6, "done", **DONE)]),         # not both
    (False, [submit(1, 2), look(3, 4, "done", **DONE), cancel(5, 6, "cancelled")]),
    (False, [submit(1, 2), cancel(3, 9, "cancelled"), look(4, 5, "done", **DONE)]),
    (False, [submit(1, 2), look(3, 4, "cancelled")]),                                       # nobody cancelled it
    (True, [submit(1, 2), cancel(3, NEVER), look(5, 6, "running"), look(700, 800, "cancelled")]),
    (True, [submit(1, 2), cancel(3, NEVER), look(5, 6, "done", **DONE)]),
    (False, [submit(1, 2), look(3, 4, "cancelled"), cancel(5, NEVER)]),
    (True, [submit(1, 2), cancel(3, 4, "running"), look(5, 6, "cancelled")]),               # its waiting time was over
    (True, [submit(1, 2), look(3, 4, "done", **DONE), submit(5, 6, state="running")]),      # no confirmed read
    (False, [submit(1, 2), look(3, 4, "done", **DONE), submit(5, 6, state="done", sha256="other")]),
    (False, [submit(1, 2), gone(3, 4, False)]),                                             # lost
    (True, [submit(1, 2), look(3, 4, "done", **DONE), gone(5, 6, True), gone(7, 8, True, "submit")]),
    (False, [submit(1, 2), gone(3, 4, True), look(5, 6, "done", **DONE)]),                  # forgotten is for ever
    (False, [gone(1, 2, True, "submit")]),                                                  # a key that nobody used
    (True, [submit(1, 2), look(3, 4, "done", f="job_result", **DONE)]),
    (False, [submit(1, 2), look(3, 4, "done", f="job_result", sha256="x"), look(5, 6, "done", **DONE)]),
])
def test_jobs(holds, ops):
    assert verdict(Job(), *ops) == (LINEARIZABLE if holds else VIOLATED)


# --- progress ---

def put(call, ret, n, index=1):
    return op("progress_set", {"index": index, "state": n * STEP}, call, ret, {})


def get(call, ret, n, added=0, index=1, snaps=0):
    return op("progress_get", {"index": index}, call, ret, {"state": n * STEP + added, "snaps": snaps})


def snap(call, ret, number=None, key="k"):
    return op("progress_snap", {"key": key}, call, ret, None if number is None else {"snapshot": number})


def past(call, ret, number, n=None, added=0, index=1, **more):
    result = more or ({"found": False} if n is None else {"found": True, "state": n * STEP + added})
    return op("progress_past", {"index": index, "snapshot": number}, call, ret, result)


@pytest.mark.parametrize("holds, ops", [
    (True, [put(1, 2, 1), get(3, 4, 1), get(5, 6, 1, 3), get(7, 8, 1, 3), put(9, 10, 2), get(11, 12, 2)]),
    (True, [get(1, 2, 0), get(3, 4, 0, 7)]),                                     # never set: jobs add to 0
    (False, [put(1, 2, 1), put(3, 4, 2), get(5, 6, 1)]),                         # a set is lost
    (False, [put(1, 2, 1), get(3, 4, 1, 5), get(5, 6, 1, 4)]),                   # what was added never falls
    (True, [put(1, 2, 1), get(3, 6, 1, 5), get(5, 8, 1, 4)]),                    # they overlap
    (True, [put(1, NEVER, 1), put(2, 3, 2), get(4, 5, 2), get(6, 7, 1)]),        # late, but once
    (False, [put(1, NEVER, 1), put(2, 3, 2), get(4, 5, 1), get(6, 7, 2), get(8, 9, 1)]),
    (False, [put(1, 2, 1), get(3, 4, 2)]),                                       # set by nobody
    (False, [put(1, 2, 1, index=1), get(3, 4, 1, index=2)]),                     # another register
    # snaps
    (True, [snap(1, 2, 0, "a"), snap(3, 4, 1, "b"), snap(5, 6, 0, "a")]),
    (False, [snap(1, 2, 0, "a"), snap(3, 4, 1, "a")]),                           # two snaps of one key
    (False, [snap(1, 2, 0, "a"), snap(3, 4, 0, "b")]),                           # one snap of two keys
    (False, [snap(1, 2, 1, "a")]),                                               # nobody took 0
    (True, [snap(1, NEVER, key="lost"), snap(3, 4, 1, "a")]),
    (True, [snap(1, NEVER, key="lost"), snap(3, 4, 0, "a"), get(5, 6, 0, snaps=1), get(7, 8, 0, snaps=2)]),
    (False, [snap(1, NEVER, key="lost"), snap(3, 4, 0, "a"), get(7, 8, 0, snaps=3)]),
    (False, [snap(1, NEVER, key="lost"), get(2, 3, 0, snaps=1), snap(4, 5, 0, "a")]),  # 0 was there before it was asked for
    (False, [snap(1, 2, 0), get(3, 4, 0, snaps=0)]),                             # the read is older than the snap
    (True, [put(1, 2, 1), snap(3, 4, 0), put(5, 6, 2), past(7, 8, 0, 1), get(9, 10, 2, snaps=1)]),
    (False, [put(1, 2, 1), snap(3, 4, 0), put(5, 6, 2), past(7, 8, 0, 2)]),      # it has what was set later
    (False, [put(1, 2, 1), snap(3, 4, 0), past(7, 8, 0, 0)]),                    # it lacks what was set before
    (False, [put(1, 9, 1), snap(3, 4, 0), past(5, 6, 0, 1), past(7, 8, 0, 0)]),  # a past snap changes
    (False, [put(1, 2, 1), snap(3, 4, 0), past(5, 6, 0, 1, 3), get(7, 8, 1, 2, snaps=1)]),
    (True, [put(1, 2, 1), snap(3, 4, 0), get(5, 6, 1, 3, snaps=1), past(7, 8, 0, 1, 2)]),
    (False, [put(1, 2, 1), get(3, 4, 1, 3), snap(5, 6, 0), past(7, 8, 0, 1, 2)]),
    # one moment of all registers: b was set after a, and is in the snap, so a is, too
    (False, [put(1, 2, 1, 1), put(3, 4, 2, 2), snap(1, 9, 0), past(10, 11, 0, 0, index=1), past(12, 13, 0, 2, index=2)]),
    (True, [put(1, 2, 1, 1), put(3, 4, 2, 2), snap(1, 9, 0), past(10, 11, 0, 1, index=1), past(12, 13, 0, 0, index=2)]),
    (True, [past(1, 2, 0), snap(3, 4, 0), past(5, 6, 0, 0)]),
    (False, [snap(3, 4, 0), past(5, 6, 0)]),                                     # it was taken
    (False, [past(1, 2, 0, 0), snap(3, 4, 0)]),                                  # it was not
    (False, [snap(1, 2, 0), past(3, 4, 0, forgotten=True)]),                     # only old ones are forgotten
])
def test_progress(holds, ops):
    assert verdict(Progress(2), *ops) == (LINEARIZABLE if holds else VIOLATED)


def test_a_snap_is_forgotten_when_enough_others_came_after_it():
    snaps = [snap(10 * i + 1, 10 * i + 2, i, f"k{i}") for i in range(SNAPS_KEPT + 1)]
    last = 10 * len(snaps)
    assert verdict(Progress(1), *snaps, past(last + 1, last + 2, 0, forgotten=True)) == LINEARIZABLE
    assert verdict(Progress(1), *snaps[:-1], past(last + 1, last + 2, 0, forgotten=True)) == VIOLATED


def test_the_key_of_a_snap_is_forgotten_when_enough_others_came_after_it():
    snaps = [snap(10 * i + 1, 10 * i + 2, i, f"k{i}") for i in range(SNAP_KEYS_KEPT + 1)]
    last = 10 * len(snaps)
    again = op("progress_snap", {"key": "k0"}, last + 1, last + 2, {"forgotten": True})
    assert verdict(Progress(1), *snaps, again) == LINEARIZABLE
    assert verdict(Progress(1), *snaps[:-1], again) == VIOLATED
    assert verdict(Progress(1), *snaps, op("progress_snap", {"key": "new"}, last + 1, last + 2, {"forgotten": True})) == VIOLATED


# --- values ---

def kv(call, ret, value, f="kv_put"):
    return op(f, {"node": 1, "name": "x", "value": value}, call, ret, {"value": value})


def delete(call, ret, found):
    return op("kv_del", {"node": 1, "name": "x"}, call, ret, {"found": found})


def wipe(call, ret):
    return op("wipe", {"node": 1}, call, ret)


@pytest.mark.parametrize("holds, ops", [
    (True, [kv(1, 2, None, "kv_get"), kv(3, 4, "a"), kv(5, 6, "a", "kv_get"), kv(7, 8, "b"), kv(9, 10, "b", "kv_get")]),
    (False, [kv(3, 4, "a"), kv(5, 6, None, "kv_get")]),
    (False, [kv(1, 2, "a"), kv(3, 4, "b"), kv(5, 6, "a", "kv_get")]),
    (True, [kv(1, 2, "a"), wipe(3, 5), kv(6, 7, None, "kv_get")]),
    (False, [kv(1, 2, "a"), wipe(3, 5), kv(6, 7, "a", "kv_get")]),
    (True, [kv(1, NEVER, "a"), wipe(3, 5), kv(6, 7, "a", "kv_get")]),
    (True, [kv(1, 2, "a"), delete(3, 4, True), kv(5, 6, None, "kv_get"), delete(7, 8, False)]),
    (False, [kv(1, 2, "a"), delete(3, 4, True), kv(5, 6, "a", "kv_get")]),
    (False, [kv(1, 2, "a"), delete(3, 4, False)]),
    (False, [kv(1, 2, "a"), delete(3, 4, True), delete(5, 6, True)]),
    (True, [kv(1, 2, "a"), delete(3, NEVER, True), kv(4, 5, "a", "kv_get"), kv(6, 7, None, "kv_get")]),
    (True, [kv(1, 2, "a"), delete(3, NEVER, True), delete(4, 5, False)]),
    (True, [kv(1, 2, "a"), delete(3, 7, False), wipe(4, 5)]),
])
def test_values(holds, ops):
    assert verdict(Value(), *ops) == (LINEARIZABLE if holds else VIOLATED)


# --- random histories, against trying every order of all operations, without what a search leaves out ---

def any_job(generator, call, ret):
    f = generator.choice(("submit", "submit", "job_get", "job_get", "job_get", "job_cancel"))
    if f == "submit":
        return submit(call, ret, generator.choice((1, 1, 1, 2)), generator.choice(("running", "running", "done")), **DONE)
    if f == "job_cancel":
        return cancel(call, ret, None if ret == NEVER else generator.choice(("cancelled", "cancelled", "done")))
    return look(call, ret, generator.choice(("running", "running", "done", "cancelled", "failed")), sha256="h", error="e")


def any_progress(generator, call, ret):
    f, n = generator.choice(("put", "put", "get", "get", "snap", "past")), generator.randint(0, 2)
    if f == "put":
        return put(call, ret, generator.randint(1, 2))
    if f == "get":
        return get(call, ret, n, generator.choice((0, 0, 1)), snaps=generator.choice((0, 0, 1)))
    if f == "snap":
        return snap(call, ret, None if ret == NEVER else generator.choice((0, 0, 1)), generator.choice("ab"))
    return past(call, ret, 0, generator.choice((None, 0, 1, 2)), generator.choice((0, 0, 1)))


@pytest.mark.parametrize("model, any_one", [(Job, any_job), (lambda: Progress(1), any_progress)])
def test_what_a_search_leaves_out_changes_no_verdict(model, any_one):
    generator, seen = random.Random(2), {LINEARIZABLE: 0, VIOLATED: 0}
    for _ in range(3000):
        ops, sets = [], set()
        for _ in range(generator.randint(2, 5)):
            call = generator.randint(1, 12)
            one = any_one(generator, call, NEVER if generator.random() < 0.2 else call + generator.randint(1, 6))
            value = one.args.get("state")
            if not (one.unknown and one.f in ("job_get", "progress_get", "progress_past")) and value not in sets:
                ops.append(one)
                sets |= {value} - {None}             # each value is set once, as in real histories
        taught = model()
        taught.prepare(ops)
        wanted = by_every_order(taught, ops)
        assert verdict(model(), *ops) == wanted, ops
        seen[wanted] += 1
    assert min(seen.values()) > 300, seen


# --- which operations belong to which object ---

def history_of(*ops, wipes=(), nodes=2):
    history = History()
    history.ops, history.run, history.wipes = sorted(ops, key=lambda o: o.call), {"nodes": nodes}, list(wipes)
    return history


def test_operations_are_parted_by_object():
    other = op("kv_get", {"node": 2, "name": "x"}, 5, 6, {"value": None})
    objects = partition(history_of(submit(1, 2), put(3, 4, 1), kv(1, 2, "a"), other, look(7, 8, "running")))
    assert {name: len(ops) for name, (_, ops) in objects.items()} == {"job k": 2, "progress": 1, "kv 1/x": 1, "kv 2/x": 1}


def test_many_puts_of_unknown_outcome_and_many_wipes_are_decided():
    """Each of them may take effect after each wipe, or not at all: 2^48 ways, nearly all of them superfluous."""
    ops = [kv(10 * i + 1, NEVER, f"v{i}") for i in range(12)]
    ops += [kv(1000 + 10 * i, 1001 + 10 * i, f"v{i}", "kv_get") for i in range(12)]
    wipes = [line for i in range(3) for line in ({"t": 500 + 10 * i, "node": 1, "phase": "begin"},
                                                 {"t": 505 + 10 * i, "node": 1, "phase": "end"})]
    (model, all_), = partition(history_of(*ops, wipes=wipes)).values()
    assert linear.check(model, all_, configurations=1000).verdict == LINEARIZABLE
    # Each value was there at most once for each life of the disk, and these wipes were before.
    ops += [kv(2000 + 10 * i, 2001 + 10 * i, "v0" if i % 2 else "v1", "kv_get") for i in range(10)]
    (model, all_), = partition(history_of(*ops, wipes=wipes)).values()
    assert linear.check(model, all_, configurations=1000).verdict == VIOLATED


def test_a_put_on_both_sides_of_a_wipe_may_count_twice():
    """Read before the wipe, and once more after it: the key went with the disk, and the retry was executed again."""
    ops = [kv(1, 20, "a"), kv(2, 3, "a", "kv_get"), kv(12, 13, None, "kv_get"), kv(15, 16, "a", "kv_get")]
    wipes = [{"t": 5, "node": 1, "phase": "begin"}, {"t": 10, "node": 1, "phase": "end"}]
    (model, with_it), = partition(history_of(*ops, wipes=wipes)).values()
    assert verdict(model, *with_it) == LINEARIZABLE
    (model, without), = partition(history_of(*ops)).values()
    assert verdict(model, *without) == VIOLATED
    (model, after), = partition(history_of(kv(12, 20, "a"), *ops[1:], wipes=wipes)).values()
    assert verdict(model, *after) == VIOLATED


def test_a_job_may_be_forgotten_only_when_enough_were_submitted():
    many = [op("submit", {"key": f"k{i}", "spec": "5"}, i + 10, i + 11, {"job": i + 2, "state": "running"})
            for i in range(JOBS_KEPT)]
    late = op("job_get", {"key": "k", "spec": "5", "job": 1}, 10 ** 6, 10 ** 6 + 1, {"forgotten": True})
    model, ops = partition(history_of(submit(1, 2), *many, late))["job k"]
    assert verdict(model, *ops) == LINEARIZABLE
    model, ops = partition(history_of(submit(1, 2), *many[:-1], late))["job k"]
    assert verdict(model, *ops) == VIOLATED

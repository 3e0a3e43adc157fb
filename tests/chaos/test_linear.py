"""The search itself: known histories, a checker that tries every order, and random histories with and without a fault."""
import itertools
import random

import pytest

import linear
from history import NEVER, Op
from linear import LINEARIZABLE, UNKNOWN, VIOLATED

READS, WRITES, SWAPS = "read", "write", "cas"


class Register:
    initial = 0

    @staticmethod
    def observes(op):
        return op.f == READS

    @staticmethod
    def step(state, op):
        if op.f == READS:
            return (state,) if op.result == state else ()
        if op.f == WRITES:
            return (op.args,)
        old, new = op.args                       # of unknown outcome: it swaps, or finds another value and does nothing
        if op.unknown:
            return (new,) if state == old else (state,)
        return ((new,) if state == old else ()) if op.result else (() if state == old else (state,))


class Queue:
    """Not a register: states are tuples, and a dequeue from an empty queue answers None."""
    initial = ()

    @staticmethod
    def observes(_):
        return False

    @staticmethod
    def step(state, op):
        if op.f == "enqueue":
            return ((*state, op.args),)
        if op.unknown:
            return (state[1:],)
        return (state[1:],) if op.result == (state[0] if state else None) else ()


def op(process, f, args, call, ret, result=None):
    return Op(process, f, args, call, ret, result)


def read(call, ret, result, process="r"):
    return op(process, READS, None, call, ret, result)


def write(call, ret, value, process="w"):
    return op(process, WRITES, value, call, ret)


def verdict(ops, model=Register, **limits):
    return linear.check(model(), ops, **limits).verdict


# --- known histories ---

def test_no_operation_and_one_are_linearizable():
    assert verdict([]) == LINEARIZABLE
    assert verdict([read(1, 2, 0)]) == LINEARIZABLE
    assert verdict([read(1, 2, 7)]) == VIOLATED


def test_a_read_that_overlaps_a_write_may_see_either_value():
    for seen in (0, 1):
        assert verdict([write(1, 5, 1), read(2, 4, seen)]) == LINEARIZABLE


def test_a_read_after_a_write_sees_it():
    assert verdict([write(1, 2, 1), read(3, 4, 0)]) == VIOLATED
    assert verdict([write(1, 2, 1), read(3, 4, 1)]) == LINEARIZABLE


def test_at_the_same_time_is_not_after():
    assert verdict([write(1, 3, 1), read(3, 4, 0)]) == LINEARIZABLE


def test_once_the_new_value_was_read_nobody_reads_the_old_one():
    """Both reads overlap the write, but not each other (Herlihy & Wing's new-old inversion)."""
    assert verdict([write(1, 9, 1), read(2, 3, 1), read(4, 5, 0)]) == VIOLATED
    assert verdict([write(1, 9, 1), read(2, 3, 0), read(4, 5, 1)]) == LINEARIZABLE


def test_sequential_consistency_is_not_enough():
    """Each process alone is in order, but the read is later in real time than a write that it does not see."""
    assert verdict([write(1, 2, 1, "a"), write(3, 4, 2, "b"), read(5, 6, 1, "c")]) == VIOLATED


def test_two_readers_disagree_about_the_order_of_two_writes():
    ops = [write(1, 10, 1, "a"), write(1, 10, 2, "b"), read(2, 3, 1, "c"), read(4, 5, 2, "c"),
           read(2, 3, 2, "d"), read(4, 5, 1, "d")]
    assert verdict(ops) == VIOLATED
    assert verdict(ops[:5]) == LINEARIZABLE


def test_a_compare_and_swap_is_won_once():
    ops = [op("a", SWAPS, (0, 1), 1, 4, True), op("b", SWAPS, (0, 2), 2, 5, True)]
    assert verdict(ops) == VIOLATED
    ops[1] = op("b", SWAPS, (0, 2), 2, 5, False)
    assert verdict(ops) == LINEARIZABLE


def test_queues():
    """Herlihy & Wing 1990, figure 1: (a) and (c) are linearizable, (b) is not."""
    def enqueue(x, call, ret):
        return op(x, "enqueue", x, call, ret)

    def dequeue(x, call, ret):
        return op(f"d{call}", "dequeue", None, call, ret, x)
    assert verdict([enqueue("x", 1, 4), enqueue("y", 2, 3), dequeue("y", 5, 6), dequeue("x", 7, 8)], Queue) == LINEARIZABLE
    assert verdict([enqueue("x", 1, 2), enqueue("y", 3, 4), dequeue("y", 5, 6)], Queue) == VIOLATED
    assert verdict([enqueue("x", 1, 5), dequeue("x", 2, 3)], Queue) == LINEARIZABLE
    assert verdict([enqueue("x", 1, 2), dequeue("x", 3, 4), dequeue("x", 5, 6)], Queue) == VIOLATED


# --- unknown outcomes ---

def test_an_unknown_write_may_take_effect_at_any_later_time_or_never():
    unknown = write(1, NEVER, 1)
    assert verdict([unknown]) == LINEARIZABLE
    assert verdict([unknown, read(2, 3, 0), read(4, 5, 0)]) == LINEARIZABLE
    assert verdict([unknown, read(2, 3, 0), read(1000, 1001, 1)]) == LINEARIZABLE


def test_an_unknown_write_takes_effect_once():
    assert verdict([write(1, NEVER, 1), read(2, 3, 1), read(4, 5, 0)]) == VIOLATED
    assert verdict([write(1, NEVER, 1), read(2, 3, 1), write(4, 5, 2), read(6, 7, 1)]) == VIOLATED
    assert verdict([write(1, NEVER, 1), write(2, 3, 2), read(4, 5, 1)]) == LINEARIZABLE


def test_an_unknown_write_has_no_effect_before_it_is_asked_for():
    assert verdict([read(1, 2, 1), write(3, NEVER, 1)]) == VIOLATED


def test_what_failed_had_no_effect():
    failed = Op("w", WRITES, 1, 1, 2, None, None, True)
    assert verdict([failed, read(3, 4, 0)]) == LINEARIZABLE
    assert verdict([failed, read(3, 4, 1)]) == VIOLATED


# --- limits ---

def hard(n):
    """Many writes at once, and a read of a value that nobody wrote after all of them: all subsets are tried."""
    return [write(1, 1000, i + 1, f"w{i}") for i in range(n)] + [read(1001, 1002, n + 1)]


def test_what_is_given_up_is_unknown_and_no_pass():
    assert verdict(hard(6)) == VIOLATED
    assert verdict(hard(24), configurations=1000) == UNKNOWN
    assert verdict(hard(24), seconds=0.05, configurations=10 ** 9) == UNKNOWN


def test_a_violation_names_the_operation_and_what_was_possible():
    outcome = linear.check(Register(), [write(1, 2, 1), write(1, 9, 3, "x"), read(3, 4, 2)])
    text = outcome.text()
    assert outcome.verdict == VIOLATED and outcome.op.result == 2
    for part in ("no order explains r read", "possible before it: 1", "under way with it:  x write 3"):
        assert part in text


def test_long_histories_take_time_in_proportion():
    ops = [op("a", WRITES, i, 10 * i, 10 * i + 8) for i in range(2000)]
    ops += [read(10 * i + 5, 10 * i + 14, i, "b") for i in range(2000)]
    outcome = linear.check(Register(), ops)
    assert outcome.verdict == LINEARIZABLE and outcome.explored < 20000 and outcome.widest <= 4


# --- against a checker that is too simple to be wrong ---

def by_every_order(model, ops):
    """Tries all orders of all subsets that contain what has returned."""
    ops = [o for o in ops if not o.failed]
    known, unknown = [o for o in ops if o.ok], [o for o in ops if o.unknown]
    for n in range(len(unknown) + 1):
        for chosen in itertools.combinations(unknown, n):
            for order in itertools.permutations([*known, *chosen]):
                in_time = all(not later.ret < earlier.call for i, earlier in enumerate(order) for later in order[i + 1:])
                if in_time and explains(model, order):
                    return LINEARIZABLE
    return VIOLATED


def explains(model, order):
    states = {model.initial}
    for o in order:
        states = {after for state in states for after in model.step(state, o)}
    return bool(states)


def any_history(generator, n):
    """Operations with any answers: some of these histories are linearizable, others are not."""
    ops, values = [], (0, 1, 2)
    for i in range(n):
        call = generator.randint(1, 12)
        ret = NEVER if generator.random() < 0.2 else call + generator.randint(1, 8)
        f = generator.choice((READS, WRITES, SWAPS))
        one, other = generator.choice(values), generator.choice(values)
        args = {READS: None, WRITES: one, SWAPS: (one, other)}[f]
        result = {READS: generator.choice(values), WRITES: None, SWAPS: generator.random() < 0.5}[f]
        ops.append(op(f"p{i}", f, args, call, ret, result if ret != NEVER else None))
    return [o for o in ops if not (o.unknown and o.f == READS)]


def test_it_agrees_with_trying_every_order():
    generator, seen = random.Random(1), {LINEARIZABLE: 0, VIOLATED: 0}
    for _ in range(1500):
        ops = any_history(generator, generator.randint(1, 5))
        wanted = by_every_order(Register(), ops)
        assert verdict(ops) == wanted, ops
        seen[wanted] += 1
    assert min(seen.values()) > 300, seen


# --- random histories of a correct object ---

def correct_history(generator, n, processes, unknown=0.05):
    """Each operation takes effect at one moment between its call and its return; intervals overlap as they like."""
    ops, state, free = [], 0, {p: 0 for p in range(processes)}
    moment = 0
    for i in range(n):
        moment += generator.randint(1, 10)
        process = generator.randrange(processes)
        call = max(free[process] + 1, moment - generator.randint(0, 40))
        moment = max(moment, call)
        f = generator.choice((READS, WRITES, SWAPS))
        args = {READS: None, WRITES: i + 1, SWAPS: (state if generator.random() < 0.7 else -1, i + 1)}[f]
        result = None
        if f == READS:
            result = state
        elif f == WRITES:
            state = args
        else:
            result = state == args[0]
            state = args[1] if result else state
        ret = moment + generator.randint(0, 40)
        free[process] = ret
        lost = generator.random() < unknown and f != READS
        ops.append(op(f"p{process}", f, args, call, NEVER if lost else ret, None if lost else result))
        if lost:
            free[process] = ret
    return ops


@pytest.mark.parametrize("seed", range(30))
def test_a_correct_object_passes_and_with_one_fault_it_does_not(seed):
    generator = random.Random(seed)
    ops = correct_history(generator, 120, generator.randint(1, 6))
    assert verdict(ops) == LINEARIZABLE
    reads = [o for o in ops if o.f == READS]
    written = {o.args: o for o in ops if o.f == WRITES and o.ok}
    caught = 0
    for victim in generator.sample(reads, min(8, len(reads))):
        right = victim.result
        # Some value that was overwritten for certain before the read began, by a write that began after it ended.
        older = [v for v, w in written.items() if any(w.ret < x.call and x.ret < victim.call for x in written.values())]
        victim.result = generator.choice(older or [10 ** 6])
        caught += verdict(ops) == VIOLATED
        assert verdict(ops) == VIOLATED, victim
        victim.result = 10 ** 6                   # and one that nobody wrote
        assert verdict(ops) == VIOLATED
        victim.result = right
    assert caught and verdict(ops) == LINEARIZABLE

"""The standard library's own tests of executors (Lib/test/test_concurrent_futures: ExecutorTest, ExecutorShutdownTest, WaitTests,
AsCompletedTests), ported to conclave.Executor on a real cluster, whose coordinator is killed again and again all the while.

Left out is what is about threads, forks and pipes of the standard executors themselves, and `initializer`, which is refused."""
import concurrent.futures as futures
import gc
import subprocess
import sys
import threading
import time
import weakref

import pytest

import python_calls as calls
from harness import ROOT, seconds, wait_for

sys.path.insert(0, str(ROOT / "clients/python/src"))
import conclave  # noqa: E402

LONG = 60  # seconds, for a call while a coordinator is killed
BETWEEN = 1.5  # seconds that a coordinator has


@pytest.fixture(scope="module", name="trouble")
def kill_coordinators(cluster):
    """Kills the coordinator as soon as it has served for a while; yields how often it has."""
    over, killed, errors = threading.Event(), [], []

    def work():
        try:
            while not over.wait(BETWEEN):
                node = cluster.kill_coordinator(cluster.wait_healthy())["coordinator"]
                cluster.start_node(node)
                killed.append(node)
        except Exception as error:  # pylint: disable=broad-except
            errors.append(error)
    thread = threading.Thread(target=work)
    thread.start()
    yield killed
    over.set()
    thread.join(seconds(60))
    assert not errors and not thread.is_alive() and killed


@pytest.fixture(scope="module", name="client")
def open_client(cluster, trouble):
    with conclave.Cluster.connect(cluster.broker, access=str(cluster.locks.admin), timeout=seconds(LONG)) as client:
        yield client


@pytest.fixture(name="executor")
def open_executor(client):
    with conclave.Executor(client) as executor:
        yield executor


CLUSTER = {"nodes": 3, "slots": 4}


# --- ExecutorTest ---

def test_submit_keyword(executor):
    assert executor.submit(calls.add, 1, b=3).result(LONG) == 4
    with pytest.raises(TypeError):
        executor.submit()  # pylint: disable=no-value-for-parameter
    with pytest.raises(TypeError):
        executor.submit(arg=1)  # pylint: disable=no-value-for-parameter


def test_map_is_in_order_whatever_ends_first(executor):
    assert list(executor.map(calls.nap, [0.5, 0, 0.3, 0], range(4))) == [0, 1, 2, 3]
    assert list(executor.map(calls.square, range(10), chunksize=3)) == [n * n for n in range(10)]


def test_map_submits_at_once_and_does_not_wait(executor):
    began = time.monotonic()
    found = executor.map(calls.nap, [3, 3])
    assert time.monotonic() - began < 2.5
    assert list(found) == [None, None]


def test_map_exception(executor):
    found = executor.map(divmod, [1, 1, 1, 1], [2, 3, 0, 5])
    assert (next(found), next(found)) == ((0, 1), (0, 1))
    with pytest.raises(ZeroDivisionError):
        next(found)


def test_map_timeout(executor):
    found = []
    with pytest.raises(futures.TimeoutError):
        for value in executor.map(calls.nap, [0, 0, 8], timeout=4):
            found.append(value)
    assert found == [None, None]


def test_an_exception_has_its_cause_and_its_type(executor):
    error = executor.submit(calls.divide, 1, 0).exception(LONG)
    assert type(error) is ZeroDivisionError and "divide" in str(error.__cause__)
    assert isinstance(executor.submit(calls.stop).exception(LONG), StopIteration)


def test_no_stale_references(executor):
    kept, gone = calls.Kept(21), threading.Event()
    _watch = weakref.ref(kept, lambda _: gone.set())
    future = executor.submit(kept.twice)
    del kept
    assert future.result(LONG) == 42
    gc.collect()
    assert gone.wait(5)


def test_free_reference(executor):
    """A result that was handed out is not kept by the executor, though others of its batch still run."""
    for kept in executor.map(calls.nap, [0, 0, 0, 2], [calls.Kept(n) for n in range(4)]):
        watch = weakref.ref(kept)
        del kept
        wait_for(lambda: gc.collect() is None or watch() is None, 1, "the result is gone")  # pylint: disable=cell-var-from-loop


def test_max_workers(client):
    for number in (0, -1):
        with pytest.raises(ValueError, match="max_workers must be greater than 0"):
            conclave.Executor(client, max_workers=number)


# --- ExecutorShutdownTest ---

def test_run_after_shutdown(client):
    executor = conclave.Executor(client)
    executor.shutdown()
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(pow, 2, 5)
    with pytest.raises(RuntimeError):
        executor.map(pow, [2], [5])


def test_shutdown_waits_for_what_was_submitted(client):
    executor = conclave.Executor(client)
    pending = [executor.submit(calls.nap, 0.2, n) for n in range(20)]
    executor.shutdown()
    assert [future.result(0) for future in pending] == list(range(20))


def test_cancel_futures(client):
    executor = conclave.Executor(client, max_workers=2)
    pending = [executor.submit(calls.nap, 0.5, n) for n in range(30)]
    wait_for(pending[0].running, 20, "the first call runs")
    executor.shutdown(cancel_futures=True)
    cancelled = [future for future in pending if future.cancelled()]
    assert cancelled and all(future.done() for future in pending)
    done = [future for future in pending if not future.cancelled()]
    assert done and all(future.exception(0) is None for future in done)


def test_a_shutdown_that_does_not_wait_lets_go_on_what_was_submitted(client):
    executor = conclave.Executor(client)
    pending = list(executor.map(abs, [-5, -6])), executor.submit(calls.nap, 1, "later")
    executor.shutdown(wait=False)
    assert pending[0] == [5, 6] and pending[1].result(LONG) == "later"


def test_the_end_of_a_with_block_waits(client):
    with conclave.Executor(client, max_workers=5) as executor:
        pending = [executor.submit(abs, n) for n in range(-5, 5)]
    assert [future.result(0) for future in pending] == [5, 4, 3, 2, 1, 0, 1, 2, 3, 4]


@pytest.mark.parametrize("wait", ["", "executor.shutdown(wait=False)"], ids=["nothing", "shutdown"])
def test_interpreter_shutdown(cluster, trouble, wait):
    """A program that ends waits for the calls that it has submitted; their callbacks are called."""
    script = ("import time, conclave\nexecutor = conclave.Executor()\n"
              "future = executor.submit(time.sleep, 1)\nfuture.add_done_callback(lambda f: print('apple', f.exception()))\n" + wait)
    env = cluster.environment(PYTHONPATH=str(ROOT / "clients/python/src"))
    done = subprocess.run([sys.executable, "-B", "-c", script], env=env, capture_output=True, text=True, timeout=seconds(LONG),
                          stdin=subprocess.DEVNULL, check=False)
    assert (done.returncode, done.stdout) == (0, "apple None\n"), done.stderr


# --- WaitTests, AsCompletedTests ---

def test_wait_first_completed(executor, tmp_path):
    gate = tmp_path / "gate"
    held, quick = executor.submit(calls.wait_for_file, str(gate), 1), executor.submit(abs, -21)
    assert futures.wait([held, quick], LONG, futures.FIRST_COMPLETED) == ({quick}, {held})
    assert futures.wait([quick, held], LONG, futures.FIRST_COMPLETED) == ({quick}, {held})  # it is there already
    assert futures.wait([held], 0.1) == (set(), {held})
    gate.touch()
    assert futures.wait([held, quick], LONG) == ({held, quick}, set())


def test_wait_first_exception(executor, tmp_path):
    gate = tmp_path / "gate"
    first, bad = executor.submit(abs, -2), executor.submit(calls.divide, 1, 0)
    held = executor.submit(calls.wait_for_file, str(gate), 1)
    done, waiting = futures.wait([first, bad, held], LONG, futures.FIRST_EXCEPTION)
    assert bad in done and waiting >= {held}
    assert bad in futures.wait([bad, held], LONG, futures.FIRST_EXCEPTION).done  # it has failed already
    gate.touch()
    assert futures.wait([first, held], LONG, futures.FIRST_EXCEPTION).not_done == set()


def test_as_completed(executor, tmp_path):
    gate = tmp_path / "gate"
    held, quick = executor.submit(calls.wait_for_file, str(gate), 1), executor.submit(abs, -7)
    assert list(futures.as_completed([quick, quick], LONG)) == [quick]  # once
    found = []
    with pytest.raises(futures.TimeoutError, match=r"1 \(of 2\) futures unfinished"):
        for future in futures.as_completed([held, quick], timeout=0):
            found.append(future)
    assert found == [quick]
    gate.touch()
    assert set(futures.as_completed([held, quick], LONG)) == {held, quick}


# --- callbacks ---

def test_callbacks_are_called_in_order_and_their_exceptions_harm_nobody(executor):
    seen = []
    future = executor.submit(abs, -5)
    future.add_done_callback(lambda f: seen.append(("first", f.result())))
    future.add_done_callback(lambda f: 1 // 0)
    future.add_done_callback(lambda f: seen.append(("third", f.result())))
    other = executor.submit(abs, -6)
    assert future.result(LONG) == 5 and other.result(LONG) == 6
    wait_for(lambda: seen == [("first", 5), ("third", 5)], 5, "both are called")
    future.add_done_callback(lambda f: seen.append("late"))
    assert seen[-1] == "late"


def test_a_callback_may_submit(executor):
    chained = futures.Future()
    first = executor.submit(abs, -3)
    first.add_done_callback(lambda f: executor.submit(abs, -f.result() - 1).add_done_callback(
        lambda g: chained.set_result(g.result())))
    assert chained.result(LONG) == 4


def test_every_call_counts_once_while_coordinators_die(executor, trouble):
    before = len(trouble)
    rounds = 0
    while len(trouble) < before + 2:
        assert list(executor.map(calls.square, range(20))) == [n * n for n in range(20)]
        rounds += 1
    assert rounds

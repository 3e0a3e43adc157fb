"""conclave.Executor: what the standard library's own tests (test_concurrent_futures) expect of an executor, on a real cluster,
while its coordinator is killed in one of them."""
import concurrent.futures as futures
import os
import pickle
import subprocess
import sys

import pytest

import python_calls as calls
from harness import ROOT

sys.path.insert(0, str(ROOT / "clients/python/src"))
import conclave  # noqa: E402

CLUSTER = {"nodes": 3, "slots": 4}


@pytest.fixture(scope="module", name="client")
def open_client(cluster):
    with conclave.Cluster.connect(cluster.broker, access=str(cluster.locks.admin), timeout=30) as client:
        yield client


@pytest.fixture(name="executor")
def open_executor(client):
    with conclave.Executor(client) as executor:
        yield executor


def test_submit(executor):
    assert executor.submit(calls.square, 12).result(30) == 144
    assert executor.submit(calls.add, 1, b=2, c=3).result(30) == 6
    assert executor.submit(calls.add, a=5).result(30) == 5  # names of submit's own parameters are free


def test_map_is_in_order_and_stops_at_the_shortest(executor):
    assert list(executor.map(calls.add, range(10), range(12))) == [2 * n for n in range(10)]
    assert list(executor.map(calls.square, [])) == []
    assert list(executor.map(calls.nap, [0.4, 0.1, 0], "abc")) == list("abc")


def test_map_in_chunks(executor):
    for size in (3, 40, 50):
        assert list(executor.map(calls.square, range(40), chunksize=size)) == [n * n for n in range(40)]
    with pytest.raises(ValueError):
        executor.map(calls.square, range(4), chunksize=-1)


def test_map_raises_at_its_place(executor):
    found = executor.map(calls.divide, [1, 1, 1, 1], [2, 3, 0, 5])
    assert (next(found), next(found)) == (0.5, 1 / 3)
    with pytest.raises(ZeroDivisionError):
        next(found)


def test_map_times_out(executor):
    found = []
    with pytest.raises(futures.TimeoutError):
        for value in executor.map(calls.nap, [0, 4], ["quick", "slow"], timeout=2):
            found.append(value)
    assert found == ["quick"]


def test_exceptions_come_back_with_their_place(executor):
    future = executor.submit(calls.divide, 1, 0)
    error = future.exception(30)
    assert isinstance(error, ZeroDivisionError) and "python_calls.py" in str(error.__cause__)
    assert isinstance(executor.submit(calls.leave, 3).exception(30), SystemExit)
    assert "odd" in str(executor.submit(calls.awkward).exception(30))
    assert isinstance(executor.submit(calls.lock).exception(30), RuntimeError)
    with pytest.raises((pickle.PicklingError, TypeError)):
        executor.submit(calls.square, calls.lock()).result(30)


def test_a_process_that_dies_fails_its_call_alone(executor):
    dead, alive = executor.submit(calls.die), executor.submit(calls.square, 3)
    with pytest.raises(conclave.TaskFailed, match="signal 9"):
        dead.result(30)
    assert alive.result(30) == 9


def test_what_a_function_prints_is_not_its_result(executor):
    assert executor.submit(calls.chatter, "words").result(30) == 5


def test_large_arguments_and_results(executor):
    data = os.urandom(3 << 20)
    assert executor.submit(calls.nap, 0, data).result(60) == data


def test_closures_and_lambdas_need_cloudpickle(executor):
    pytest.importorskip("cloudpickle")
    offset = 7
    assert list(executor.map(lambda n: n + offset, range(3))) == [7, 8, 9]


def test_wait_and_as_completed(executor, tmp_path):
    gate = str(tmp_path / "gate")
    held, quick = executor.submit(calls.wait_for_file, gate, "held"), executor.submit(calls.square, 2)
    done, not_done = futures.wait([held, quick], timeout=30, return_when=futures.FIRST_COMPLETED)
    assert (done, not_done) == ({quick}, {held})
    open(gate, "w", encoding="ascii").close()
    assert {future.result() for future in futures.as_completed([held, quick], timeout=30)} == {"held", 4}
    bad = executor.submit(calls.divide, 1, 0)
    done, _ = futures.wait([bad, quick], timeout=30, return_when=futures.FIRST_EXCEPTION)
    assert bad in done


def test_callbacks_are_called(executor):
    seen = []
    future = executor.submit(calls.square, 4)
    future.add_done_callback(lambda f: seen.append(f.result()))
    future.result(30)
    with pytest.raises(futures.TimeoutError):
        executor.submit(calls.nap, 1).result(timeout=0.01)
    assert seen == [16]


def test_what_waits_can_be_cancelled_and_what_runs_cannot(client, tmp_path):
    gate = str(tmp_path / "gate")
    with conclave.Executor(client, max_workers=1) as executor:
        running = executor.submit(calls.wait_for_file, gate, "ran")
        while not running.running():
            futures.wait([running], timeout=0.01)
        waiting = [executor.submit(calls.square, n) for n in range(3)]
        assert waiting[0].cancel() and waiting[0].cancelled() and not running.cancel()
        open(gate, "w", encoding="ascii").close()
        assert running.result(30) == "ran"
        assert [future.result(30) for future in waiting[1:]] == [1, 4]
        with pytest.raises(futures.CancelledError):
            waiting[0].result()


def test_shutdown(client, tmp_path):
    gate = str(tmp_path / "gate")
    executor = conclave.Executor(client, max_workers=1)
    running = executor.submit(calls.wait_for_file, gate, 1)
    while not running.running():
        futures.wait([running], timeout=0.01)
    waiting = [executor.submit(calls.square, n) for n in range(3)]
    executor.shutdown(wait=False, cancel_futures=True)
    assert all(future.cancelled() for future in waiting) and not running.done()
    with pytest.raises(RuntimeError):
        executor.submit(calls.square, 1)
    open(gate, "w", encoding="ascii").close()
    executor.shutdown(wait=True)
    assert running.done() and running.result() == 1
    executor.shutdown()  # again is allowed
    with conclave.Executor(client) as other:
        done = [other.submit(calls.square, n) for n in range(4)]
    assert all(future.done() for future in done)  # leaving the block waits


def test_what_is_not_supported_is_said(client):
    with pytest.raises(ValueError, match="initializer is not supported"):
        conclave.Executor(client, initializer=print)
    with pytest.raises(ValueError, match="max_workers"):
        conclave.Executor(client, max_workers=0)


SCRIPT = """
import sys, conclave
def cube(n): return n ** 3
class Odd(Exception): pass
def fail(): raise Odd("mine")
with conclave.Executor() as executor:
    print(list(executor.map(cube, range(4))))
    print(type(executor.submit(fail).exception()).__name__)
"""


def test_functions_of_a_script(cluster, tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT, encoding="ascii")
    env = cluster.environment(PYTHONPATH=str(ROOT / "clients/python/src"))
    done = subprocess.run([sys.executable, "-B", tmp_path / "script.py"], env=env, capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stdout) == (0, "[0, 1, 8, 27]\nOdd\n"), done.stderr


def test_the_coordinator_is_killed_meanwhile_and_every_call_counts_once(cluster, client):
    status = cluster.wait_healthy()
    with conclave.Executor(client) as executor:
        found = executor.map(calls.nap, [0.3] * 40, range(40))
        first = next(found)
        cluster.kill_coordinator(status)
        later = executor.submit(calls.square, 11)
        assert [first, *found] == list(range(40))
        assert later.result(60) == 121

"""An executor of concurrent.futures whose calls run on a cluster, as tasks of jobs of commands."""
from __future__ import annotations

import itertools
import pickle
import sys
import threading
from concurrent.futures import Executor as Base
from concurrent.futures import Future
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

from . import errors, maps, packing, steps
from .cluster import Cluster, map_request
from .connection import Ask

GATHER = 0.003            # s: what is submitted within it goes into one job
CALLS_PER_SLOT = 4        # with the cluster at a time, by default
CALLS_LEAST = 8
MAX_OUTPUT = 1 << 30      # a pickled result may be as long
SCRIPT = "conclave_call.py"

# What a node executes: it needs Python alone. What the function prints goes to stderr; stdout is the result.
RUNNER = b'''import os, sys
out = os.dup(1)
os.dup2(2, 1)
import pickle, reprlib, traceback
with open(sys.argv[1], "rb") as file:
    version, paths, blob = pickle.load(file)
sys.path.extend(p for p in paths if p not in sys.path)
try:
    if version != sys.version_info[:2]:
        raise RuntimeError("the node runs Python %d.%d, the caller %d.%d" % (*sys.version_info[:2], *version))
    call, calls, many = pickle.loads(blob)
    values = [call(*args, **kwargs) for args, kwargs in calls]
    told = (True, values if many else values[0], "")
except BaseException as error:
    told = (False, error, traceback.format_exc())
try:
    import cloudpickle as pickler
except ImportError:
    pickler = pickle
try:
    data = pickler.dumps(told)
    if not told[0] and not isinstance(pickle.loads(data)[1], BaseException):
        raise TypeError("it is unpickled as something else")
except BaseException as error:
    what = "the outcome cannot be pickled: %s: %s" % (reprlib.repr(told[1]), reprlib.repr(error))
    data = pickle.dumps((False, RuntimeError(what), told[2]))
with os.fdopen(out, "wb") as file:
    file.write(data)
'''


class RemoteTraceback(Exception):
    """The cause of an exception that came back: where it was raised on the node."""

    def __str__(self) -> str:
        return f'\n"""\n{self.args[0]}"""'


class _Chunk:
    """A function for several calls at once."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __call__(self, *_: Any) -> Any:
        raise TypeError("runs on a cluster only")


def _dumps(thing: Any, function: Callable[..., Any]) -> bytes:
    try:
        import cloudpickle  # pylint: disable=import-outside-toplevel
    except ImportError:
        if getattr(function, "__module__", None) == "__main__":
            raise pickle.PicklingError("functions of __main__ need cloudpickle, which is not installed") from None
        return pickle.dumps(thing)
    data: bytes = cloudpickle.dumps(thing)
    return data


def _payload(function: Callable[..., Any], calls: Sequence[Tuple[Any, Any]], many: bool) -> bytes:
    return pickle.dumps((sys.version_info[:2], [p for p in sys.path if p], _dumps((function, calls, many), function)))


_Waiting = Tuple["Future[Any]", bytes]


class Executor(Base):
    """Calls run on the nodes of a cluster, each in its own Python process; calls submitted together become one job.
    The key needs the role commands. A call whose node dies runs again (`at_most_once`: it is lost, and fails with
    TaskFailed), so it may run more than once, and its outcome counts once. `max_workers`: calls that are with the cluster
    at a time; the others can be cancelled. `python`: the interpreter on the nodes. Further options are those of
    Cluster.map()."""

    def __init__(self, cluster: Optional[Cluster] = None, max_workers: Optional[int] = None, *, python: Optional[str] = None,
                 initializer: Optional[Callable[..., Any]] = None, **options: Any) -> None:
        if initializer is not None:
            raise ValueError("initializer is not supported: every call runs in a process of its own")
        if max_workers is not None and max_workers <= 0:
            raise ValueError("max_workers must be greater than 0")
        self._own, self._cluster = cluster is None, cluster or Cluster.connect()
        self._max, self._python = max_workers, python or sys.executable or "python3"
        self._options: Dict[str, Any] = {"max_output": MAX_OUTPUT, "name": "executor", **options}
        self._lock, self._pending = threading.Condition(), []  # type: threading.Condition, List[_Waiting]
        self._flying, self._threads, self._starting, self._shut = 0, set(), False, False  # type: int, set[threading.Thread], bool, bool

    # --- the interface of concurrent.futures ---

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        future: "Future[Any]" = Future()
        try:
            data = _payload(fn.function, args[0], True) if isinstance(fn, _Chunk) else _payload(fn, [(args, kwargs)], False)
        except Exception as error:  # pylint: disable=broad-except
            data = b""
            future.set_exception(error)
        with self._lock:
            if self._shut:
                raise RuntimeError("cannot schedule new futures after shutdown")
            if data:
                self._pending.append((future, data))
                try:
                    self._launch()
                except RuntimeError:
                    self._pending.pop()
                    raise
        return future

    def map(self, fn: Callable[..., Any], *iterables: Iterable[Any], timeout: Optional[float] = None,
            chunksize: int = 1) -> Iterator[Any]:
        if chunksize < 1:
            raise ValueError("chunksize must be >= 1.")
        if chunksize == 1:
            return super().map(fn, *iterables, timeout=timeout)
        calls = zip(*iterables)
        chunks: Iterator[List[Any]] = iter(lambda: [(args, {}) for args in itertools.islice(calls, chunksize)], [])
        return itertools.chain.from_iterable(super().map(_Chunk(fn), chunks, timeout=timeout))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        with self._lock:
            self._shut = True
            given_up = [future for future, _ in self._pending] if cancel_futures else []
            if cancel_futures:
                self._pending.clear()
        for future in given_up:
            future.cancel()
            future.set_running_or_notify_cancel()
        if wait:
            with self._lock:
                self._lock.wait_for(self._is_idle)
        self._close_when_over()

    def _is_idle(self) -> bool:
        return not self._pending and not self._threads

    def _close_when_over(self) -> None:
        """Whoever comes last closes what is ours: shutdown(), or a batch that it did not wait for."""
        with self._lock:
            over = self._own and self._shut and self._is_idle()
        if over:
            self._cluster.close()

    # --- batches; with the lock ---

    def _launch(self) -> None:
        """One thread gathers at a time; it lives until its job has ended, so that a program waits for it."""
        if self._pending and not self._starting and (self._max is None or self._flying < self._max):
            self._starting = True
            thread = threading.Thread(target=self._fly_on, name="conclave-batch")
            self._threads.add(thread)
            try:
                thread.start()
            except RuntimeError:  # there are too many, or the interpreter ends: those that fly take the rest
                self._starting = False
                self._threads.discard(thread)
                if not self._threads:
                    raise

    def _gather(self) -> List[_Waiting]:
        if self._max is None:
            try:
                slots = sum(node.get("slots", 0) for node in self._cluster.status()["nodes"])
            except errors.ConclaveError:
                slots = 0  # the batch itself will tell what is wrong
            self._max = max(CALLS_LEAST, CALLS_PER_SLOT * slots)
        threading.Event().wait(GATHER)
        with self._lock:
            self._starting = False
            batch: List[_Waiting] = []
            while self._pending and self._flying < self._max:
                future, data = self._pending.pop(0)
                if future.set_running_or_notify_cancel():
                    batch.append((future, data))
                    self._flying += 1
            self._launch()
        return batch

    def _fly(self) -> None:
        calls: "Dict[int, Future[Any]]" = {}  # that have no outcome yet: nothing here keeps one that was handed out
        try:
            batch = self._gather()
            files = [data for _, data in batch]
            calls.update((n, future) for n, (future, _) in enumerate(batch, 1))
            del batch
            if calls:
                self._run(calls, files)
        except BaseException as error:  # pylint: disable=broad-except
            for n in list(calls):
                self._settle(calls.pop(n), error=error)

    def _fly_on(self) -> None:
        """A thread of batches: what was left waiting while no other thread could be started is its own."""
        more = True
        while more:
            self._fly()
            with self._lock:
                more = bool(self._pending) and not self._starting and (self._max is None or self._flying < self._max)
                self._starting = self._starting or more
                if not more:
                    self._threads.discard(threading.current_thread())
                    self._lock.notify_all()
        self._close_when_over()

    def _settle(self, future: "Future[Any]", value: Any = None, error: Optional[BaseException] = None) -> None:
        with self._lock:
            self._flying -= 1
            self._launch()
        if error is None:
            future.set_result(value)
        else:
            future.set_exception(error)

    def _run(self, calls: "Dict[int, Future[Any]]", files: List[bytes]) -> None:
        request = map_request([self._python, "-B", SCRIPT, "{}"], [f"call{n}.pickle" for n in calls],
                              uploads={SCRIPT: RUNNER}, files=files, **self._options)
        row = self._cluster.run(maps.submit_map(request, self._cluster.deadline()))
        state, seen = maps.MapState(int(row["job"]), len(files)), set()  # type: maps.MapState, set[int]
        while tasks := self._more_tasks(state, seen):
            for task in tasks:
                if task.task in calls:
                    self._take(calls.pop(task.task), task)
        for n in list(calls):
            self._settle(calls.pop(n), error=errors.TaskFailed("the cluster tells nothing of this call"))
        try:
            self._cluster.run(steps.forget(state.job, self._cluster.deadline()))
        except errors.ConclaveError:
            pass  # it is forgotten when more is remembered than is kept

    def _more_tasks(self, state: maps.MapState, seen: "set[int]") -> List[packing.Task]:
        """A call may take as long as it takes, an answer of the cluster may not: one that is gone for good would keep the program."""
        async def perform(step: steps.Step) -> Any:
            if isinstance(step, Ask):
                step.deadline = self._cluster.deadline() + step.wait
            return self._cluster.run(steps.just(step))
        try:
            return steps.finish(steps.drive(maps.more_tasks(state, seen, None), perform))
        except errors.TimedOut as error:
            raise errors.Unreachable(f"the cluster has not answered for {self._cluster.timeout:g} s; the call is of its job "
                                     f"{steps.job_text(state.job)}") from error

    def _take(self, future: "Future[Any]", task: packing.Task) -> None:
        if task.state != "done":
            line = task.stderr.decode(errors="replace").strip().rpartition("\n")[2]
            self._settle(future, error=errors.TaskFailed(
                f"the call's process is {task.state}: {task.ended_by}{': ' if line else ''}{line}", task))
            return
        try:
            good, value, trace = pickle.loads(task.stdout)
            if not good:
                BaseException.__cause__.__set__(value, RemoteTraceback(trace))  # type: ignore[union-attr]
        except BaseException as error:  # pylint: disable=broad-except
            good, value = False, error  # what is unpickled may run anything, sys.exit() too
        if good:
            self._settle(future, value)
        else:
            self._settle(future, error=value)

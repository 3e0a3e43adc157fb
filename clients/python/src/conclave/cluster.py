"""Clusters and jobs, for programs that wait."""
from __future__ import annotations

import time
import weakref
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, Dict, Iterable, Iterator, List, Optional, Sequence, Union

from . import access, errors, maps, packing, steps
from .connection import Ask, Connection, Reply
from .feed import Feed
from .steps import Pause, Step, Steps, T

Row = Dict[str, Any]
Input = Union[str, bytes, int, float]
MAX_OUTPUT = 1 << 20


def map_request(command: Union[str, Sequence[str]], inputs: Iterable[Input], *, retries: int = 0, retry_delay: float = 1.0,
                time_limit: Optional[float] = None, slots: int = 1, max_output: int = MAX_OUTPUT, max_fails: int = 0,
                at_most_once: bool = False, stdin: bool = False, env: Optional[Dict[str, str]] = None, name: str = "",
                key: Optional[str] = None, uploads: Optional[Dict[str, bytes]] = None,
                files: Optional[Sequence[bytes]] = None) -> maps.MapRequest:
    """A text is a line for /bin/sh -c, a list a command without a shell; {} stands for the input in both."""
    words = [i if isinstance(i, bytes) else str(i).encode() for i in inputs]
    shell = command if isinstance(command, str) else None
    argv = [] if isinstance(command, str) else list(command)
    options = {"retries": retries, "retry_delay_us": int(retry_delay * 1e6), "time_limit_us": int((time_limit or 0) * 1e6),
               "slots": slots, "max_output": max_output, "max_fails": max_fails, "at_most_once": at_most_once,
               "on_stdin": stdin}
    if not (shell or argv) or not words:
        raise errors.Usage("a command is needed" if words else "there are no inputs, and so no tasks")
    return maps.MapRequest(argv, shell, words, options, files, uploads, env, name, key)


def in_order(tasks: Dict[int, packing.Task], first: int) -> List[packing.Task]:
    """Takes out those that follow each other from a number on."""
    found = []
    while first in tasks:
        found.append(tasks.pop(first))
        first += 1
    return found


def check_tasks(tasks: Sequence[packing.Task]) -> None:
    bad = [task for task in tasks if task.state != "done"]
    if bad:
        line = bad[0].stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise errors.TaskFailed(f"{len(bad)} of {len(tasks)} tasks are not done; task {bad[0].task} is {bad[0].state}: "
                                f"{bad[0].ended_by}{': ' if line else ''}{line}", bad[0])
    lost = [task.task for task in tasks if task.reason == maps.FORGOTTEN]
    if lost:
        raise errors.NotFound(f"the output of task {lost[0]} was in the job that this one repeats, which was forgotten")


class Job(steps.Named):
    """A job of the cluster; `id` is what the command line calls it."""

    def __init__(self, cluster: "Cluster", row: Row) -> None:
        super().__init__(row)
        self._cluster = cluster

    def status(self) -> Row:
        """Its row: state, done, total, ..."""
        return self._cluster.run(steps.get(self.number, self._cluster.deadline()))

    def done(self) -> bool:
        return self.status()["state"] in steps.FINAL

    def wait(self, timeout: Optional[float] = None) -> Row:
        """Waits until it is finished, even if the coordinator changes. TimedOut: the job continues."""
        return self._cluster.run(steps.wait(self.number, steps.deadline_of(timeout)))

    def cancel(self) -> bool:
        """Cancels it. Returns False if it was finished already."""
        return self._cluster.run(steps.cancel(self.number, self._cluster.deadline()))

    def forget(self) -> None:
        """Makes the cluster forget the finished job and its results."""
        self._cluster.run(steps.forget(self.number, self._cluster.deadline()))

    def explain(self) -> List[str]:
        """Why it is where it is, in lines for people."""
        return self._cluster.run(steps.explain(self.number, self._cluster.deadline()))

    def operations(self) -> List[Row]:
        """Those of a job of numbers, as docs/protocol.md has them: op, opcode, operands, node, attempt."""
        return self._cluster.run(steps.operations(self.number, self._cluster.deadline()))

    def result(self, timeout: Optional[float] = None) -> str:
        """Waits for the result and returns it, of a number the digits. Raises Failed or Cancelled if there is none."""
        return self.result_bytes(timeout).decode()

    def result_bytes(self, timeout: Optional[float] = None) -> bytes:
        return self._cluster.run(steps.result(self.number, steps.deadline_of(timeout)))


class MapJob(Job):
    """A command over inputs. Iterating gives its tasks in input order, each as soon as those before it have ended."""

    def __init__(self, cluster: "Cluster", row: Row, total: int) -> None:
        super().__init__(cluster, row)
        self.total = total

    def as_completed(self, timeout: Optional[float] = None) -> Iterator[packing.Task]:
        """The tasks in the order in which they are known to have ended."""
        state, seen, deadline = maps.MapState(self.number, self.total), set(), steps.deadline_of(timeout)  # type: ignore[var-annotated]
        while fresh := self._cluster.run(maps.more_tasks(state, seen, deadline)):
            yield from fresh

    def __iter__(self) -> Iterator[packing.Task]:
        waiting: Dict[int, packing.Task] = {}
        following = 1
        for task in self.as_completed():
            waiting[task.task] = task
            ready = in_order(waiting, following)
            following += len(ready)
            yield from ready

    def tasks(self, timeout: Optional[float] = None) -> List[packing.Task]:
        """All tasks, whatever their outcomes, by number."""
        return sorted(self.as_completed(timeout), key=lambda task: task.task)

    def retry(self, tasks: Optional[Iterable[int]] = None, *, time_limit: Optional[float] = None, key: Optional[str] = None) -> "MapJob":
        """A job that repeats those that are not done, or only these of them; it must be finished. `time_limit`: another one,
        0 is none."""
        row = self._cluster.run(maps.retry(self.number, tasks, time_limit, key, self._cluster.deadline()))
        return MapJob(self._cluster, row, self.total)

    def outputs(self, timeout: Optional[float] = None) -> List[bytes]:
        """What each task wrote to stdout. Raises TaskFailed unless all are done."""
        tasks = self.tasks(timeout)
        check_tasks(tasks)
        return [task.stdout for task in tasks]


class Cluster:
    """A cluster, found as the command line finds it. May be used from several threads."""

    def __init__(self, connection: Connection, timeout: float) -> None:
        self._connection, self.timeout = connection, timeout
        weakref.finalize(self, connection.close, wait=False).atexit = False

    @classmethod
    def connect(cls, brokers: access.Brokers = None, *, access: Optional[str] = None,  # pylint: disable=redefined-outer-name
                dir: Optional[str] = None, insecure: Optional[bool] = None,  # pylint: disable=redefined-builtin
                timeout: float = 600) -> "Cluster":
        """`brokers`: "HOST:PORT", several in a list; `access`: a key file; `dir`: a cluster's directory. What is not given
        is taken from CONCLAVE_BROKER, _ACCESS, _DIR and _INSECURE, then from .conclave/ here or above. `timeout`: of calls
        that do not wait for a job. Nothing is sent yet."""
        return cls(Connection(_find(brokers, access, dir, insecure)), timeout)

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- asking ---

    def deadline(self) -> float:
        return time.monotonic() + self.timeout

    def run(self, work: Steps[T]) -> T:
        """Runs one of steps.py."""
        return steps.finish(steps.drive(work, self._perform))

    async def _perform(self, step: Step) -> Any:
        if isinstance(step, Pause):
            return time.sleep(step.seconds)
        if isinstance(step, Ask):
            return self._await(step)
        futures = [self._connection.start(one) for one in step]
        return [future.result() for future in futures]

    def _await(self, one: Ask) -> Reply:
        future = self._connection.start(one)
        try:
            return future.result()
        except FutureTimeout:
            raise
        except BaseException:
            future.cancel()
            raise

    def ask(self, body: Row, frames: Sequence[bytes] = ()) -> Reply:
        """Makes any request of docs/protocol.md and returns its answer; an `error` is raised."""
        return self.run(steps.ask(body, self.deadline(), frames=frames))

    # --- jobs ---

    def submit(self, kind: str, *arguments: object, key: Optional[str] = None) -> Job:
        """submit("factorial", 10) or submit("factorial 10"): returns when it is accepted. The same key is the same job. Lists of
        integers are uploaded: submit("product", [12, -5, 7]), submit("batch-gcd", moduli, known); or they are stored values:
        submit("product", "value:9c1f0123")."""
        return Job(self, self.run(steps.submit((kind, *arguments), key, self.deadline())))

    def map(self, command: Union[str, Sequence[str]], inputs: Iterable[Input], **options: Any) -> MapJob:
        """A command over inputs: map("gzip -9 <{} | wc -c", names), map(["factor", "{}"], range(9)). A text is a line for
        /bin/sh, in which the inputs are quoted; a list is a command without a shell. Options: retries, retry_delay,
        time_limit (s), slots, max_output (bytes), max_fails, at_most_once, stdin, env, name, key, uploads ({path: bytes})."""
        request = map_request(command, inputs, **options)
        return MapJob(self, self.run(maps.submit_map(request, self.deadline())), len(request.inputs))

    def job(self, id_: str) -> Job:
        """The job of that id; a MapJob when it runs commands."""
        row, total = self.run(steps.find_job(id_, self.deadline()))
        return Job(self, row) if total is None else MapJob(self, row, total)

    def jobs(self, state: Optional[str] = None, newest: int = 0) -> List[Row]:
        """The rows of all jobs that the key may see, the oldest first; of those in a state; and only so many of these."""
        return self.run(steps.jobs(state, newest, self.deadline()))

    # --- the rest ---

    def status(self) -> Row:
        """coordinator, term, healthy, nodes, ..., as docs/protocol.md has `status`."""
        return self.run(steps.status(self.deadline()))

    def quota(self) -> Row:
        """jobs_max and bytes_max: what one key may have, 0 is any number; bounded: that holds for this one; keys: what
        each has."""
        return self.run(steps.quota(self.deadline()))

    def kv_put(self, name: str, value: str, node: int = 1, key: Optional[str] = None) -> None:
        self.run(steps.kv_change("kv_put", key, self.deadline(), node=node, name=name, value=value))

    def kv_get(self, name: str, node: int = 1) -> str:
        """The value. Raises NotFound if there is none."""
        return self.run(steps.kv_get(node, name, self.deadline()))

    def kv_del(self, name: str, node: int = 1, key: Optional[str] = None) -> None:
        """Deletes the value. Raises NotFound if there is none."""
        self.run(steps.kv_change("kv_del", key, self.deadline(), node=node, name=name))

    def kv_list(self, prefix: str = "", node: int = 1) -> Dict[str, str]:
        """The values of a node whose names begin with the prefix, in the order of their names."""
        return self.run(steps.kv_list(node, prefix, self.deadline()))

    def bank_deposit(self, account: str, amount: int, node: int = 1, key: Optional[str] = None) -> int:
        """Puts minor units into an account; its balance then. The same key does it once. Failed: it would have too much."""
        return self.run(steps.bank_change("bank_deposit", key, self.deadline(), node=node, account=account, amount=amount))

    def bank_withdraw(self, account: str, amount: int, node: int = 1, key: Optional[str] = None) -> int:
        """Failed: it has not so much."""
        return self.run(steps.bank_change("bank_withdraw", key, self.deadline(), node=node, account=account, amount=amount))

    def bank_transfer(self, account: str, to: str, amount: int, node: int = 1, to_node: int = 1, key: Optional[str] = None) -> int:
        """From an account to another one, which must be there; the first one's balance then."""
        return self.run(steps.bank_change("bank_transfer", key, self.deadline(), node=node, account=account, to=to, to_node=to_node,
                                          amount=amount))

    def bank_balance(self, account: str, node: int = 1) -> int:
        return self.run(steps.bank_balance(node, account, self.deadline()))

    def bank_list(self, node: int = 1) -> Dict[str, int]:
        """The balances of all accounts of a node, in the order of their names."""
        return self.run(steps.bank_list(node, self.deadline()))

    def progress_set(self, node: int, state: int) -> None:
        self.run(steps.progress_set(node, state, self.deadline()))

    def progress_snap(self, key: Optional[str] = None) -> int:
        return self.run(steps.progress_snap(key, self.deadline()))

    def progress_get(self, node: int, snap: Optional[int] = None) -> int:
        return self.run(steps.progress_get(node, snap, self.deadline()))

    def snapshot(self, node: int = 0) -> Row:
        """Takes a snapshot of the whole cluster, at that node or the coordinator, and returns its head. Needs the role admin."""
        return self.run(steps.snapshot(node, self.deadline()))

    def snapshots(self, node: int = 0) -> List[Row]:
        return self.run(steps.snapshots(node, self.deadline()))

    def snapshot_bytes(self, head: Row) -> bytes:
        """A snapshot whose head snapshot() or snapshots() returned, as a file that `conclave snapshot verify` takes."""
        return self.run(steps.snapshot_bytes(head, self.deadline()))

    def value_put(self, data: bytes, name: str = "") -> int:
        """Uploads bytes, and returns the id of the stored value."""
        return self.run(steps.value_put(data, name, self.deadline()))

    def value_put_integers(self, integers: Iterable[int], name: str = "") -> int:
        """Uploads integers, as jobs over lists take them."""
        return self.run(steps.value_put_integers(integers, name, self.deadline()))

    def value_get(self, name: Union[str, bytes]) -> bytes:
        """A stored value by its name ("value:9c1f0123", its id) or its SHA-256."""
        return self.run(steps.value_get(name, self.deadline()))

    def value_drop(self, name: Union[str, bytes]) -> None:
        """Failed: a job names it."""
        self.run(steps.value_drop(name, self.deadline()))

    def values(self) -> List[Row]:
        """The rows of all stored values that the key may see, the oldest first."""
        return self.run(steps.values(self.deadline()))

    def feed(self, timeout: Optional[float] = None) -> Feed:
        """What the nodes say from now on: an iterator, which ends with TimedOut when nothing comes for `timeout` seconds."""
        return Feed(self._connection.access, timeout)


def _find(brokers: access.Brokers, key_file: Optional[str], directory: Optional[str], insecure: Optional[bool]) -> access.Access:
    return access.find(brokers, key_file, directory, insecure)

"""Clusters and jobs for asyncio: the same steps as cluster.py's, awaited."""
from __future__ import annotations

import asyncio
import time
import weakref
from typing import Any, AsyncIterator, Dict, Iterable, List, Optional, Sequence, Union

from . import access as accesses
from . import cluster as waiting
from . import maps, packing, steps
from .connection import Ask, Connection, Reply
from .feed import Feed
from .steps import Pause, Step, Steps, T

Row = Dict[str, Any]


class Job(steps.Named):
    """As conclave.Job; await it for its result."""

    def __init__(self, cluster: "Cluster", row: Row) -> None:
        super().__init__(row)
        self._cluster = cluster

    async def status(self) -> Row:
        return await self._cluster.run(steps.get(self.number, self._cluster.deadline()))

    async def done(self) -> bool:
        return (await self.status())["state"] in steps.FINAL

    async def wait(self, timeout: Optional[float] = None) -> Row:
        return await self._cluster.run(steps.wait(self.number, steps.deadline_of(timeout)))

    async def cancel(self) -> bool:
        return await self._cluster.run(steps.cancel(self.number, self._cluster.deadline()))

    async def forget(self) -> None:
        await self._cluster.run(steps.forget(self.number, self._cluster.deadline()))

    async def explain(self) -> List[str]:
        return await self._cluster.run(steps.explain(self.number, self._cluster.deadline()))

    async def operations(self) -> List[Row]:
        return await self._cluster.run(steps.operations(self.number, self._cluster.deadline()))

    async def result(self, timeout: Optional[float] = None) -> str:
        return (await self.result_bytes(timeout)).decode()

    async def result_bytes(self, timeout: Optional[float] = None) -> bytes:
        return await self._cluster.run(steps.result(self.number, steps.deadline_of(timeout)))

    def __await__(self) -> Any:
        return self.result().__await__()


class MapJob(Job):
    """As conclave.MapJob; `async for` gives its tasks in input order."""

    def __init__(self, cluster: "Cluster", row: Row, total: int) -> None:
        super().__init__(cluster, row)
        self.total = total

    async def as_completed(self, timeout: Optional[float] = None) -> AsyncIterator[packing.Task]:
        state, seen, deadline = maps.MapState(self.number, self.total), set(), steps.deadline_of(timeout)  # type: ignore[var-annotated]
        while fresh := await self._cluster.run(maps.more_tasks(state, seen, deadline)):
            for task in fresh:
                yield task

    async def __aiter__(self) -> AsyncIterator[packing.Task]:
        kept: Dict[int, packing.Task] = {}
        following = 1
        async for task in self.as_completed():
            kept[task.task] = task
            ready = waiting.in_order(kept, following)
            following += len(ready)
            for one in ready:
                yield one

    async def tasks(self, timeout: Optional[float] = None) -> List[packing.Task]:
        return sorted([task async for task in self.as_completed(timeout)], key=lambda task: task.task)

    async def retry(self, tasks: Optional[Iterable[int]] = None, *, time_limit: Optional[float] = None,
                    key: Optional[str] = None) -> "MapJob":
        row = await self._cluster.run(maps.retry(self.number, tasks, time_limit, key, self._cluster.deadline()))
        return MapJob(self._cluster, row, self.total)

    async def outputs(self, timeout: Optional[float] = None) -> List[bytes]:
        tasks = await self.tasks(timeout)
        waiting.check_tasks(tasks)
        return [task.stdout for task in tasks]


class Cluster:
    """As conclave.Cluster."""

    def __init__(self, connection: Connection, timeout: float) -> None:
        self._connection, self.timeout = connection, timeout
        weakref.finalize(self, connection.close, wait=False).atexit = False

    @classmethod
    def connect(cls, brokers: accesses.Brokers = None, *, access: Optional[str] = None,
                dir: Optional[str] = None, insecure: Optional[bool] = None,  # pylint: disable=redefined-builtin
                timeout: float = 600) -> "Cluster":
        return cls(Connection(accesses.find(brokers, access, dir, insecure)), timeout)

    def close(self) -> None:
        self._connection.close()

    async def __aenter__(self) -> "Cluster":
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def deadline(self) -> float:
        return time.monotonic() + self.timeout

    async def run(self, work: Steps[T]) -> T:
        return await steps.drive(work, self._perform)

    async def _perform(self, step: Step) -> Any:
        if isinstance(step, Pause):
            return await asyncio.sleep(step.seconds)
        if isinstance(step, Ask):
            return await asyncio.wrap_future(self._connection.start(step))
        return await asyncio.gather(*(asyncio.wrap_future(self._connection.start(one)) for one in step))

    async def ask(self, body: Row, frames: Sequence[bytes] = ()) -> Reply:
        return await self.run(steps.ask(body, self.deadline(), frames=frames))

    async def submit(self, kind: str, *arguments: object, key: Optional[str] = None) -> Job:
        return Job(self, await self.run(steps.submit((kind, *arguments), key, self.deadline())))

    async def map(self, command: Union[str, Sequence[str]], inputs: Iterable[waiting.Input], **options: Any) -> MapJob:
        request = waiting.map_request(command, inputs, **options)
        return MapJob(self, await self.run(maps.submit_map(request, self.deadline())), len(request.inputs))

    async def job(self, id_: str) -> Job:
        row, total = await self.run(steps.find_job(id_, self.deadline()))
        return Job(self, row) if total is None else MapJob(self, row, total)

    async def jobs(self, state: Optional[str] = None, newest: int = 0) -> List[Row]:
        return await self.run(steps.jobs(state, newest, self.deadline()))

    async def status(self) -> Row:
        return await self.run(steps.status(self.deadline()))

    async def quota(self) -> Row:
        return await self.run(steps.quota(self.deadline()))

    async def kv_put(self, name: str, value: str, node: int = 1, key: Optional[str] = None) -> None:
        await self.run(steps.kv_change("kv_put", key, self.deadline(), node=node, name=name, value=value))

    async def kv_get(self, name: str, node: int = 1) -> str:
        return await self.run(steps.kv_get(node, name, self.deadline()))

    async def kv_del(self, name: str, node: int = 1, key: Optional[str] = None) -> None:
        await self.run(steps.kv_change("kv_del", key, self.deadline(), node=node, name=name))

    async def kv_list(self, prefix: str = "", node: int = 1) -> Dict[str, str]:
        return await self.run(steps.kv_list(node, prefix, self.deadline()))

    async def bank_deposit(self, account: str, amount: int, node: int = 1, key: Optional[str] = None) -> int:
        return await self.run(steps.bank_change("bank_deposit", key, self.deadline(), node=node, account=account, amount=amount))

    async def bank_withdraw(self, account: str, amount: int, node: int = 1, key: Optional[str] = None) -> int:
        return await self.run(steps.bank_change("bank_withdraw", key, self.deadline(), node=node, account=account, amount=amount))

    async def bank_transfer(self, account: str, to: str, amount: int, node: int = 1, to_node: int = 1,
                            key: Optional[str] = None) -> int:
        return await self.run(steps.bank_change("bank_transfer", key, self.deadline(), node=node, account=account, to=to,
                                                to_node=to_node, amount=amount))

    async def bank_balance(self, account: str, node: int = 1) -> int:
        return await self.run(steps.bank_balance(node, account, self.deadline()))

    async def bank_list(self, node: int = 1) -> Dict[str, int]:
        return await self.run(steps.bank_list(node, self.deadline()))

    async def progress_set(self, node: int, state: int) -> None:
        await self.run(steps.progress_set(node, state, self.deadline()))

    async def progress_snap(self, key: Optional[str] = None) -> int:
        return await self.run(steps.progress_snap(key, self.deadline()))

    async def progress_get(self, node: int, snap: Optional[int] = None) -> int:
        return await self.run(steps.progress_get(node, snap, self.deadline()))

    async def snapshot(self, node: int = 0) -> Row:
        return await self.run(steps.snapshot(node, self.deadline()))

    async def snapshots(self, node: int = 0) -> List[Row]:
        return await self.run(steps.snapshots(node, self.deadline()))

    async def snapshot_bytes(self, head: Row) -> bytes:
        return await self.run(steps.snapshot_bytes(head, self.deadline()))

    async def value_put(self, data: bytes, name: str = "") -> int:
        return await self.run(steps.value_put(data, name, self.deadline()))

    async def value_put_integers(self, integers: Iterable[int], name: str = "") -> int:
        return await self.run(steps.value_put_integers(integers, name, self.deadline()))

    async def value_get(self, name: Union[str, bytes]) -> bytes:
        return await self.run(steps.value_get(name, self.deadline()))

    async def value_drop(self, name: Union[str, bytes]) -> None:
        await self.run(steps.value_drop(name, self.deadline()))

    async def values(self) -> List[Row]:
        return await self.run(steps.values(self.deadline()))

    def feed(self, timeout: Optional[float] = None) -> Feed:
        return Feed(self._connection.access, timeout)

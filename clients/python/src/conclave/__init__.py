"""A client of Conclave clusters: jobs, commands over inputs, values, snapshots, the feed, and an Executor.

    with conclave.Cluster.connect() as cluster:
        print(cluster.submit("factorial 10").result())

See docs/clients.md of Conclave. conclave.aio has the same for asyncio."""
from .cluster import Cluster, Job, MapJob
from .errors import (Cancelled, ConclaveError, Failed, KeyRefused, NotFound, OverQuota, TaskFailed, TimedOut, Unreachable,
                     Usage)
from .executor import Executor
from .feed import Feed
from .packing import Task

connect = Cluster.connect

__all__ = ["Cancelled", "Cluster", "ConclaveError", "Executor", "Failed", "Feed", "Job", "KeyRefused", "MapJob", "NotFound",
           "OverQuota", "Task", "TaskFailed", "TimedOut", "Unreachable", "Usage", "connect"]

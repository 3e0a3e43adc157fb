"""A limit on the memory of processes that run: a control group below the one that this process is in.

Of version 1 or 2, whichever has the memory controller. Below its own group, so that whatever limits this process goes on to
limit what it started. What a process had before it came is not counted, by either version: the limit is on what it takes
from then on, pages of files included.
"""
import errno
import os
import pathlib

from harness import wait_for

LEAVE_SECONDS = 5  # a group is busy until the last process that was killed in it is gone


def find():
    """(version, directory of the own group), or (0, why there is none)."""
    groups = {}
    for line in pathlib.Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines():
        _, controllers, path = line.split(":", 2)
        groups.update({it: path for it in controllers.split(",")})
    for line in pathlib.Path("/proc/self/mountinfo").read_text(encoding="ascii").splitlines():
        before, _, after = line.partition(" - ")
        root, mount = before.split()[3:5]
        kind, _, options = after.split()[:3]
        version = {"cgroup": 1, "cgroup2": 2}.get(kind)
        name = "memory" if version == 1 else ""
        if not version or (version == 1 and "memory" not in options.split(",")) or name not in groups:
            continue
        own = pathlib.Path(mount) / os.path.relpath(groups[name], root)
        if version == 2 and "memory" not in (own / "cgroup.subtree_control").read_text().split():
            continue
        return (version, own) if os.access(own, os.W_OK) else (0, f"{own} is not writable")
    return 0, "no control group here has the memory controller for groups below it"


def why_not():
    """Why memory cannot be limited here; None when it can."""
    version, where = find()
    if not version:
        return where
    try:
        Group(f"conclave-probe-{os.getpid()}").close()
    except OSError as error:
        return f"no group can be made below {where}: {error}"
    return None


class Group:
    """A control group with a limit."""

    def __init__(self, name):
        self.version, own = find()
        if not self.version:
            raise OSError(errno.ENOTSUP, own)
        self.own, self.dir = own, own / name
        self.dir.mkdir()

    def limit(self, size):
        file = "memory.limit_in_bytes" if self.version == 1 else "memory.max"
        (self.dir / file).write_text(str(size))

    def add(self, pid):
        (self.dir / "cgroup.procs").write_text(str(pid))

    def counts(self):
        """How often the limit was met, and how many processes were killed for it."""
        files = ("memory.oom_control",) if self.version == 1 else ("memory.events",)
        rows = dict(line.split() for file in files for line in (self.dir / file).read_text().splitlines())
        met = rows["max"] if self.version == 2 else (self.dir / "memory.failcnt").read_text()
        return {"met": int(met), "killed": int(rows.get("oom_kill", 0))}

    def close(self):
        """Its processes are where they came from; nothing of it is left."""
        def is_left():
            for pid in (self.dir / "cgroup.procs").read_text().split():
                try:
                    (self.own / "cgroup.procs").write_text(pid)
                except ProcessLookupError:
                    pass
            try:
                self.dir.rmdir()
            except OSError as error:
                if error.errno != errno.EBUSY:
                    raise
                return False
            return True
        wait_for(is_left, LEAVE_SECONDS, "all processes have left the group")

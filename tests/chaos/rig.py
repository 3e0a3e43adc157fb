"""A cluster each of whose nodes has a host of its own, a disk that can be made bad, a clock that can be made wrong, and a
limit on its memory: what the nemesis works with."""
import contextlib
import os
import pathlib

import harness
import memory
import net
import relays
from shims import read_counts, tell

SWITCH = harness.BIN.parent / "chaos" / "switch"
CLIENTS = "clients"  # the host of brokers, clients, and of the process that has the rig
SHIMS = ("bad_disk", "jump_clock")


class Rig(harness.Cluster):
    """Where the machine lacks a means, `lacking` says by its name why, and its faults are not to be had: "switch" (then a
    relay for each link stands in for the network, which can do less), "disk", "clock", "memory"."""

    def __init__(self, directory, nodes=6, brokers=1, seed=0, **options):
        pathlib.Path(directory).mkdir(parents=True, exist_ok=True)
        preloading = "sanitizers want to be loaded first" if harness.SANITIZED else None
        self.lacking = {"net": None, "switch": net.why_not(SWITCH), "disk": preloading, "clock": preloading,
                        "memory": memory.why_not()}
        self.switched = None  # the network of namespaces
        if not self.lacking["switch"]:
            hosts = [*(f"node{i}" for i in range(1, nodes + 1)), CLIENTS]
            self.switched = net.Net(SWITCH, directory, hosts, seed)
            self.switched.enter(CLIENTS)
        try:
            super().__init__(directory, nodes=nodes, brokers=brokers, **options)
        except BaseException:
            self.close_switch()
            raise
        self.net = self.switched or relays.Relays(self)

    def close_switch(self):
        if self.switched:
            self.switched.close()

    def close(self):
        try:
            super().close()
            if not self.switched:
                self.net.close()
        finally:
            self.close_switch()

    # --- hosts ---

    def host(self, node):
        return self.switched.addresses[f"node{node}"] if self.switched else super().host(node)

    def ways(self):
        """The hosts of all nodes, as brokers and clients know them."""
        return {"peers": ",".join(self.host(node) for node in range(1, self.n_nodes + 1))}

    def node_command(self, node, **options):
        ways = self.ways() if self.switched else self.net.options(node)
        return super().node_command(node, **{"bind": self.host(node)} | ways | options)

    def broker_command(self, broker, **options):
        return super().broker_command(broker, **self.ways() | options)

    def spawn(self, name, *arguments, **variables):
        with self.switched.inside(name) if self.switched and name in self.switched.spaces else contextlib.nullcontext():
            return super().spawn(name, *arguments, **variables)

    # --- disks and clocks ---

    def start_node(self, node, **options):
        if self.lacking["disk"]:
            return super().start_node(node, **options)
        self.nodes[node] = self.spawn(
            f"node{node}", *self.node_command(node, **options),
            LD_PRELOAD=":".join(str(harness.LIB / f"{shim}.so") for shim in SHIMS),
            BAD_DISK=str(self.told(node, "disk")), BAD_DISK_COUNTS=str(self.counted(node, "disk")),
            JUMP_CLOCK=str(self.told(node, "clock")), JUMP_CLOCK_COUNTS=str(self.counted(node, "clock")))
        return self.nodes[node]

    def told(self, node, what):
        return self.dir / f"node{node}.{what}"

    def counted(self, node, what):
        return self.dir / f"node{node}.{what}-counts"

    def set_disk(self, node, *faults):
        """Each fault: (kind, number), of all of the node's files; none: the disk is sound."""
        tell(self.told(node, "disk"),
             "".join(f"{kind} {self.dir}/node{node}/ {number}\n" for kind, number in faults))

    def set_clock(self, node, offset_ms):
        tell(self.told(node, "clock"), f"{offset_ms}\n")

    def counts(self, node):
        """How often each fault of disk or clock met the node, in all its lives."""
        return read_counts(self.counted(node, "disk")) | read_counts(self.counted(node, "clock"))

    # --- memory ---

    def limit_memory(self, nodes, size):
        """A group in which these nodes may take so much more each than they have. The caller closes it."""
        group = memory.Group(f"conclave-{os.getpid()}-{'-'.join(map(str, nodes))}")
        group.limit(size * len(nodes))
        for node in nodes:
            if self.nodes[node].poll() is None:
                group.add(self.nodes[node].pid)
        return group

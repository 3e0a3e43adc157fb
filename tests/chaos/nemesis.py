"""The trouble: what happens to nodes, brokers, links, disks, clocks and memory, drawn from one seed.

Each kind is counted as fired only when its effect was seen: a process was gone, a packet was dropped, a call to the disk
was failed. What was tried and met nothing is counted apart. A kind that the machine has no means for says why."""
import contextlib
import pathlib
import shutil
import signal
import time

from clients import Conversation
from harness import wait_for
from rig import CLIENTS

AT_ONCE_MIN = 3        # kinds of trouble that must be seen of those that were there at the same time
TRIES_MAX = 4          # of a kind that meets nothing
MEMORY_MORE = (128 << 10, 512 << 10, 2 << 20)  # bytes that a node may take while memory is short


def trouble(most, needs=None):
    """A kind that lasts for up to so many seconds. The method returns a context manager, which begins it, gives a function that
    says whether it was seen (asked when it is over), and ends it: so any of them can be under way at once."""
    def mark(method):
        method.most, method.needs = most, needs
        return method
    return mark


class Nemesis:
    """Does one thing at a time, or several at once; to a minority of the nodes, or to all of them, as by a loss of power."""

    def __init__(self, cluster, random, teller, log):
        self.cluster, self.random, self.teller, self.log = cluster, random, teller, log
        self.fired, self.missed, self.lost, self.healed = {}, {}, {}, []
        self.history = []  # of each trouble: kind, when it began and ended (monotonic), whether it was seen
        self.known = None  # the coordinator when the trouble that is under way began
        self.minority = (cluster.n_nodes - 1) // 2
        self.net = getattr(cluster, "net", None)
        lacking = getattr(cluster, "lacking", None)
        self.skipped = {}  # kind: why this machine cannot have it
        self.together, self.kinds = [], []
        for name in TOGETHER:
            needs = getattr(type(self), name).needs
            why = needs and (lacking[needs] if lacking else "a plain cluster has no means for it")
            if why:
                self.skipped[name] = why
            else:
                self.together.append(name)
        self.kinds = self.together + ALONE
        self.bag = []

    def strike(self):
        """One more trouble; every kind has its turn before one comes again, and another one if it met nothing."""
        if not self.bag:
            self.bag = self.random.sample(self.kinds, len(self.kinds))
        self.supervise()
        name = self.bag.pop()
        if name in self.together:
            self.have([name])
        else:
            self.alone(name)
        if name not in self.fired and 0 < self.missed.get(name, 0) < TRIES_MAX:
            self.bag.insert(0, name)
        self.supervise()

    def has_tried_all(self):
        """Whether each kind was seen, or was tried often enough."""
        return all(name in self.fired or self.missed.get(name, 0) >= TRIES_MAX for name in self.kinds)

    def have(self, names):
        """These kinds at once. Returns how many of them were seen."""
        self.known = self.coordinator()  # once there is trouble, nobody may be found any more
        began, seen = time.monotonic(), {}
        try:
            with contextlib.ExitStack() as stack:
                for name in names:
                    seen[name] = stack.enter_context(getattr(self, name)())
                self.pause(max(getattr(type(self), name).most for name in names))
        finally:
            self.known = None
        fired = {name: bool(it()) for name, it in seen.items()}
        for name, did in fired.items():
            self.record(name, began, did)
        return sum(fired.values())

    def alone(self, name):
        began = time.monotonic()
        self.record(name, began, getattr(self, name)())

    def record(self, name, began, fired):
        now = time.monotonic()
        table = self.fired if fired else self.missed
        table[name] = table.get(name, 0) + 1
        self.history.append({"kind": name, "began": began, "ended": now, "fired": bool(fired)})
        self.log(f"{name}: over after {now - began:.1f} s{'' if fired else ', but met nothing'}")

    def end(self):
        """Nothing is wrong any more, and every node runs."""
        if self.net:
            self.net.heal()
        for node in self.cluster.nodes:
            self.cluster.nodes[node].send_signal(signal.SIGCONT)
            if self.is_had("disk"):
                self.cluster.set_disk(node)
            if self.is_had("clock"):
                self.cluster.set_clock(node, 0)
        self.supervise()

    def report(self):
        """What was done, as plain data for a verdict: times are monotonic seconds."""
        nodes = self.everybody() if self.is_had("disk") else []
        return {"fired": self.fired, "missed": self.missed, "skipped": self.skipped, "history": self.history,
                "packets": self.net.dropped() if self.net else {},
                "calls": {node: self.cluster.counts(node) for node in nodes}}

    # --- who, and for how long ---

    def coordinator(self):
        def served():
            self.supervise()
            status = self.cluster.status()
            return status and status["coordinator"]
        return self.known or wait_for(served, 20, "a coordinator serves")

    def workers(self, n):
        leader = self.coordinator()
        others = [node for node in self.everybody() if node != leader]
        return self.random.sample(others, min(n, len(others)))

    def everybody(self):
        return list(range(1, self.cluster.n_nodes + 1))

    def some(self):
        """Of all nodes, the coordinator too: at least one, at most a minority."""
        return self.random.sample(self.everybody(), self.random.randint(1, max(1, self.minority)))

    def pause(self, most):
        time.sleep(self.random.uniform(0.05, most))  # how long the trouble lasts is part of it

    def is_had(self, means):
        lacking = getattr(self.cluster, "lacking", None)
        return lacking is not None and not lacking[means]

    def supervise(self):
        """Starts what has ended, as a supervisor would: nodes end by themselves when their disks fail them."""
        for node in self.everybody():
            if self.cluster.nodes[node].poll() is not None:
                self.cluster.start_node(node)

    # --- processes ---

    def kill(self, process):
        """Whether it ended by this kill, and not before."""
        if process.poll() is not None:
            return False
        self.cluster.kill(process)
        return process.returncode == -signal.SIGKILL

    @contextlib.contextmanager
    def killed(self, nodes):
        seen = any([self.kill(self.cluster.nodes[node]) for node in nodes])
        try:
            yield lambda: seen
        finally:
            self.supervise()

    @contextlib.contextmanager
    def stopped(self, nodes):
        processes = [self.cluster.nodes[node] for node in nodes]
        for process in processes:
            process.send_signal(signal.SIGSTOP)
        seen = any([wait_stopped(process) for process in processes])
        try:
            yield lambda: seen
        finally:
            for process in processes:
                process.send_signal(signal.SIGCONT)

    @trouble(1.0)
    def kill_worker(self):
        return self.killed(self.workers(1))

    @trouble(1.0)
    def kill_coordinator(self):
        return self.killed([self.coordinator()])

    @trouble(3.0)
    def stop_worker(self):
        return self.stopped(self.workers(1))

    @trouble(3.0)
    def stop_coordinator(self):
        return self.stopped([self.coordinator()])

    @trouble(5.0)
    def stop_minority(self):
        """Longer than what the others keep in memory for followers that lag a little."""
        return self.stopped(self.workers(self.minority))

    @trouble(2.0)
    @contextlib.contextmanager
    def kill_and_stop(self):
        nodes = self.workers(self.minority)
        with self.killed(nodes[:1]) as was_killed, self.stopped(nodes[1:]) as was_stopped:
            yield lambda: was_killed() and (len(nodes) == 1 or was_stopped())

    @trouble(0.5)
    @contextlib.contextmanager
    def kill_broker(self):
        broker = self.random.randrange(self.cluster.n_brokers)
        seen = self.kill(self.cluster.brokers[broker])
        try:
            yield lambda: seen
        finally:
            if self.cluster.brokers[broker].poll() is not None:
                self.cluster.start_broker(broker)

    @trouble(0.3)
    def power_loss(self):
        return self.killed(self.everybody())

    def rolling_restart(self):
        """As for a new version: one after the other, each by SIGTERM, and the next when all is whole again."""
        codes = []
        for node in self.random.sample(self.everybody(), self.cluster.n_nodes):
            self.heal()
            self.cluster.kill(self.cluster.nodes[node], signal.SIGTERM, deadline=20)
            codes.append(self.cluster.nodes[node].returncode)
            self.cluster.start_node(node)
        self.heal()
        return codes == [0] * self.cluster.n_nodes

    # --- links ---

    def hosts(self, nodes):
        return [f"node{node}" for node in nodes]

    @contextlib.contextmanager
    def until_end(self, fault):
        try:
            yield fault.fired
        finally:
            fault.end()

    def isolated(self, nodes):
        return self.until_end(self.net.isolate(self.hosts(nodes)))

    @trouble(5.0, needs="net")
    def cut_worker(self):
        return self.isolated(self.workers(1))

    @trouble(5.0, needs="net")
    def cut_coordinator(self):
        return self.isolated([self.coordinator()])

    @trouble(5.0, needs="net")
    def cut_minority(self):
        """With the coordinator among those that are cut off, every other time."""
        nodes = self.workers(self.minority)
        if self.random.random() < 0.5:
            nodes[0] = self.coordinator()
        return self.isolated(nodes)

    @trouble(5.0, needs="net")
    def cut_pair(self):
        """The two do not reach each other, and all others reach both."""
        one, other = self.random.sample(self.hosts(self.everybody()), 2)
        return self.until_end(self.net.cut([one], [other]))

    @trouble(5.0, needs="switch")
    def cut_clients(self):
        """Brokers and clients do not reach the coordinator; the nodes do."""
        return self.until_end(self.net.cut(self.hosts([self.coordinator()]), [CLIENTS]))

    @trouble(5.0, needs="net")
    def deaf_coordinator(self):
        """It sends and does not receive."""
        hosts = self.hosts([self.coordinator()])
        return self.until_end(self.net.one_way(self.net.others(hosts), hosts))

    @trouble(5.0, needs="net")
    def mute_coordinator(self):
        """It receives and does not send."""
        hosts = self.hosts([self.coordinator()])
        return self.until_end(self.net.one_way(hosts, self.net.others(hosts)))

    @trouble(5.0, needs="net")
    def bridged(self):
        """Two groups that meet in one node only."""
        hosts = self.hosts(self.random.sample(self.everybody(), self.cluster.n_nodes))
        middle = (len(hosts) + 1) // 2  # hosts[0] is the bridge
        return self.until_end(self.net.bridge(hosts[1:middle], hosts[middle:]))

    @trouble(6.0, needs="net")
    def flapping(self):
        """A node comes and goes, about as fast as its absence is noticed."""
        hosts = self.hosts(self.some())
        up, down = self.random.randint(100, 1500), self.random.randint(100, 1500)
        return self.until_end(self.net.flap(hosts, self.net.others(hosts), up, down))

    @trouble(5.0, needs="net")
    @contextlib.contextmanager
    def late_packets(self):
        """Some nodes are far away, in one direction or both."""
        hosts = self.hosts(self.some())
        ways = [(hosts, self.net.others(hosts)), (self.net.others(hosts), hosts)]
        delay, jitter = self.random.randint(10, 150), self.random.randint(0, 150)
        with contextlib.ExitStack() as stack:
            seen = [stack.enter_context(self.until_end(self.net.delay(*way, delay, jitter)))
                    for way in self.random.sample(ways, self.random.randint(1, 2))]
            yield lambda: all(it() for it in seen)

    @trouble(5.0, needs="switch")
    def lost_packets(self):
        percent = self.random.choice((2, 5, 20))
        return self.until_end(self.net.lose(self.net.hosts, self.net.hosts, percent))

    @trouble(5.0, needs="switch")
    def narrow_links(self):
        """Of some nodes, what they send goes by a slow line."""
        hosts = self.hosts(self.some())
        rate = self.random.choice((50_000, 200_000, 1_000_000))
        return self.until_end(self.net.narrow(hosts, self.net.others(hosts), rate))

    # --- disks, clocks, memory ---

    @contextlib.contextmanager
    def bad_disks(self, nodes, kind, number=1):
        before = self.met(nodes, kind)
        for node in nodes:
            self.cluster.set_disk(node, (kind, number))
        try:
            yield lambda: self.met(nodes, kind) > before
        finally:
            for node in nodes:
                self.cluster.set_disk(node)

    def met(self, nodes, kind):
        return sum(self.cluster.counts(node).get(kind, 0) for node in nodes)

    @trouble(5.0, needs="disk")
    def slow_disks(self):
        return self.bad_disks(self.some(), "slow_sync", self.random.choice((20, 100, 700)))

    @trouble(3.0, needs="disk")
    def hanging_disks(self):
        return self.bad_disks(self.some(), "hang_sync")

    @trouble(2.0, needs="disk")
    def failing_sync(self):
        """R24: who is told that nothing is durable ends."""
        return self.bad_disks(self.some(), "fail_sync", self.random.choice((1, 10)))

    @trouble(5.0, needs="disk")
    def full_disks(self):
        return self.bad_disks(self.some(), "full")

    @trouble(2.0, needs="disk")
    def failing_writes(self):
        return self.bad_disks(self.some(), "fail_write", self.random.choice((1, 20)))

    @trouble(3.0, needs="disk")
    def short_writes(self):
        return self.bad_disks(self.some(), "short_write", self.random.choice((1, 7)))

    @trouble(3.0, needs="clock")
    @contextlib.contextmanager
    def clock_jumps(self):
        """By up to an hour, forwards or back; and back again. Those of a majority, too (R26)."""
        nodes = self.random.sample(self.everybody(), self.random.randint(1, self.cluster.n_nodes))
        before = self.met(nodes, "jumped")
        for node in nodes:
            self.cluster.set_clock(node, self.random.randint(-3600_000, 3600_000))
        try:
            yield lambda: self.met(nodes, "jumped") > before
        finally:
            for node in nodes:
                self.cluster.set_clock(node, 0)

    @trouble(4.0, needs="memory")
    @contextlib.contextmanager
    def little_memory(self):
        """The kernel takes pages away from the node, or kills it."""
        counts = {}
        nodes = self.workers(1)
        group = self.cluster.limit_memory(nodes, self.random.choice(MEMORY_MORE))
        try:
            yield lambda: counts["met"] > 0
        finally:
            counts |= group.counts()
            group.close()

    # --- all at once ---

    def at_once(self):
        """One kind by each means, at the same time. They hide each other: who is killed has no disk that fails."""
        by_means = {}
        for name in self.together:
            needs = getattr(type(self), name).needs
            if name != "power_loss":  # it would hide all others
                by_means.setdefault("net" if needs == "switch" else needs, []).append(name)
        names = [self.random.choice(kinds) for kinds in by_means.values()]
        self.log(f"at once: {', '.join(names)}")
        return self.have(names) >= min(AT_ONCE_MIN, len(names))

    # --- wipes ---

    def wipe_one(self):
        return self.wipe(self.workers(1))

    def wipe_minority(self):
        return self.wipe(self.workers(self.minority))

    def wipe_coordinator(self):
        return self.wipe([self.coordinator()])

    def wipe(self, nodes):
        """Only in a cluster that is whole: what a wipe may cost is said for a minority. The tellers stand still
        until all money has arrived, so that the account of what the wiped disks had is exact."""
        self.heal()
        with self.teller.gate:
            had = self.balances()
            for node in nodes:
                self.empty(node, had[node])
            self.pause(1.0)
            gone = not any((self.cluster.dir / f"node{node}").exists() for node in nodes)
        self.return_wiped(nodes)
        return gone

    def wipe_beside_late(self):
        """A majority accepts what the others never hear of, dies, and returns in two parts: first as many with empty disks
        as could elect somebody together with those that are behind, if empty disks counted; the sound ones later."""
        self.heal()
        majority = self.cluster.n_nodes // 2 + 1
        late = self.workers(self.cluster.n_nodes - majority)
        others = [node for node in self.everybody() if node not in late]
        wiped = self.random.sample(others, min(self.minority, majority - len(late)))
        with self.teller.gate:
            had = self.balances()
            seen = [self.kill(self.cluster.nodes[node]) for node in late]
            self.pause(1.5)
            seen += [self.kill(self.cluster.nodes[node]) for node in others]
            for node in wiped:
                self.empty(node, had[node])
            seen += [not (self.cluster.dir / f"node{node}").exists() for node in wiped]
            for node in late + wiped:
                self.cluster.start_node(node)
            self.pause(3.0)
        self.return_wiped(wiped)
        return all(seen)

    def return_wiped(self, nodes):
        began = time.monotonic()
        self.supervise()
        self.heal()
        self.healed.append(time.monotonic() - began)
        with self.teller.gate:
            for node in nodes:
                self.teller.deposit(node)

    def balances(self):
        return balances(self.cluster)

    def empty(self, node, had):
        """Kills the node and takes its disk away."""
        with self.losing(node, had):
            self.cluster.kill(self.cluster.nodes[node])
            shutil.rmtree(self.cluster.dir / f"node{node}")

    @contextlib.contextmanager
    def losing(self, node, had):
        """Around the moment in which these accounts are lost."""
        self.lost[node] = self.lost.get(node, 0) + sum(had.values())
        yield

    def heal(self, deadline=30):
        def healed():
            self.supervise()
            return whole(self.cluster)
        return wait_for(healed, deadline, "the cluster is whole again", pause=0.2)


# Those that may be under way at once, in the order in which they are written; and those that want to be alone.
TOGETHER = [name for name, it in vars(Nemesis).items() if hasattr(it, "most")]
ALONE = ["rolling_restart", "at_once", "wipe_one", "wipe_minority", "wipe_coordinator", "wipe_beside_late"]


def wait_stopped(process):
    """Until it is stopped; false when it has ended."""
    def state():
        if process.poll() is not None:
            return "ended"
        text = pathlib.Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8", errors="replace")
        return text.rpartition(")")[2].split()[0] in "Tt" and "stopped"
    return wait_for(state, 5, "a node is stopped") == "stopped"


def whole(cluster):
    """The status when all nodes are alive, level and, if they vote, admitted; else None."""
    status = cluster.status()
    if not status or not status["healthy"]:
        return None
    rows = status["nodes"]
    admitted = all(row.get("admitted", True) or row["id"] > status.get("voters", len(rows)) for row in rows)
    return status if admitted and not any(row.get("behind") for row in rows) else None


def balances(cluster):
    """{node: {account: balance}}, once nothing is on its way anywhere: each node says so itself."""
    talk = Conversation(cluster)

    def settled():
        pages = {node: talk.ask(type="bank_list", node=node) for node in range(1, cluster.n_nodes + 1)}
        return pages if not any(page.get("sent") or page["more"] for page in pages.values()) else None
    try:
        pages = wait_for(settled, 30, "all money has arrived", pause=0.1)
    finally:
        talk.close()
    return {node: {row["account"]: row["balance"] for row in page["accounts"]} for node, page in pages.items()}

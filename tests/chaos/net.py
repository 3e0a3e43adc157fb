"""A network of its own for a cluster: a namespace per host, and between them a switch that breaks what it is told to.

The switch (switch.c) says what it can do. Here it is started and ended, processes and threads are put into its namespaces,
and the faults of a network are made of its rules. Each fault can be asked what it did: one that no packet met did not
happen.
"""
import collections
import contextlib
import ctypes
import itertools
import json
import os
import pathlib
import socket
import subprocess
import threading

from harness import wait_for

CLONE_NEWNET = 0x40000000
START_SECONDS = 10
LIBC = ctypes.CDLL(None, use_errno=True)


def why_not(switch):
    """Why there can be no such network here; None when there can."""
    if os.geteuid() != 0:
        return "only root can make network namespaces"
    if not pathlib.Path("/dev/net/tun").exists():
        return "there is no /dev/net/tun"
    if not pathlib.Path(switch).exists():
        return f"{switch} is not built"
    done = subprocess.run(["unshare", "-n", "true"], capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else f"no network namespaces: {done.stderr.strip()}"


def set_space(fd):
    """The calling thread, and what it starts from now on, is in that namespace."""
    if LIBC.setns(fd, CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "setns")


class Fault:
    """Rules under one name, until they are ended."""

    def __init__(self, net, name, kind):
        self.net, self.name, self.kind = net, name, kind
        self.did = None  # once it has ended

    def counts(self):
        """What it did until now: packets that it matched, dropped and delayed, and the longest delay."""
        return self.did or total(self.net.rules_of(self.name))

    def end(self):
        """Ends it, if it has not ended, and returns what it did."""
        if self.did is None:
            self.did = total(self.net.end_rules(self.name))
        return self.did

    def fired(self):
        """Whether a packet met it. What only delays or loses some must have done so."""
        did = self.counts()
        return did["dropped"] > 0 or did["delayed"] > 0


def total(rules):
    sums = {name: sum(rule[name] for rule in rules) for name in ("matched", "dropped", "delayed")}
    return sums | {"delay_max_us": max((rule["delay_max_us"] for rule in rules), default=0)}


class Links:
    """Faults between hosts, made of rules: how these are kept, and what keeps them, is a subclass's.

    hosts: their names. add_rule(name, sources, targets, words): words are those of the switch. rules_of(name): what each
    of that name did until now. end_rules(name): the same, and ends them."""

    def __init__(self, hosts):
        self.hosts, self.faults, self.numbers = list(hosts), [], itertools.count(1)

    def fault(self, kind, *rules):
        """Rules (sources, targets, words of the rule) that begin and end together."""
        fault = Fault(self, f"{kind}-{next(self.numbers)}", kind)
        self.faults.append(fault)
        for sources, targets, *words in rules:
            self.add_rule(fault.name, sources, targets, words)
        return fault

    def others(self, hosts):
        return [host for host in self.hosts if host not in hosts]

    def cut(self, left, right):
        """Nothing passes between these and those."""
        return self.fault("cut", (left, right, "cut"), (right, left, "cut"))

    def isolate(self, hosts):
        """Nothing passes between these and all others; among themselves they go on."""
        return self.cut(hosts, self.others(hosts))

    def one_way(self, sources, targets):
        """What these send to those is lost; what those send arrives."""
        return self.fault("one_way", (sources, targets, "cut"))

    def bridge(self, left, right):
        """Two groups that do not reach each other; all others reach both and are reached."""
        return self.fault("bridge", (left, right, "cut"), (right, left, "cut"))

    def flap(self, left, right, up_ms, down_ms):
        return self.fault("flap", (left, right, "flap", up_ms, down_ms), (right, left, "flap", up_ms, down_ms))

    def delay(self, sources, targets, delay_ms, jitter_ms=0):
        return self.fault("delay", (sources, targets, "delay", delay_ms, jitter_ms))

    def lose(self, sources, targets, percent):
        return self.fault("loss", (sources, targets, "loss", percent))

    def narrow(self, sources, targets, bytes_per_second):
        return self.fault("rate", (sources, targets, "rate", bytes_per_second))

    def heal(self):
        """Ends every fault."""
        for fault in self.faults:
            fault.end()

    def dropped(self):
        """By kind of fault: how many there were, how many of them met a packet, and what they did in all."""
        table = collections.defaultdict(lambda: {"faults": 0, "fired": 0, "matched": 0, "dropped": 0, "delayed": 0})
        for fault in self.faults:
            row, did = table[fault.kind], fault.counts()
            row["faults"] += 1
            row["fired"] += fault.fired()
            for name in ("matched", "dropped", "delayed"):
                row[name] += did[name]
        return dict(table)


class Net(Links):
    """Hosts by name, each with an address and a namespace, and the switch between them."""

    def __init__(self, switch, directory, hosts, seed=0):
        super().__init__(hosts)
        self.lock = threading.Lock()
        self.home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        self.spaces, self.addresses, self.line = {}, {}, None
        path = pathlib.Path(directory) / "switch"
        # It ends when this pipe does: however this process ends, namespaces and devices go with it.
        self.process = subprocess.Popen([str(switch), "-s", str(seed), str(path), *self.hosts], stdin=subprocess.PIPE)
        try:
            self._connect(path)
        except BaseException:
            self.close()
            raise

    def _connect(self, path):
        self.line = socket.socket(socket.AF_UNIX)
        self.line.settimeout(START_SECONDS)

        def is_connected():
            if self.process.poll() is not None:
                raise AssertionError(f"the switch does not start: {self.process.poll()}")
            return self.line.connect_ex(str(path)) == 0
        wait_for(is_connected, START_SECONDS, "the switch starts")
        self.file = self.line.makefile("r")
        for port in self.ask("ports")["ports"]:
            self.addresses[port["name"]] = port["address"]
            self.spaces[port["name"]] = os.open(f"/proc/{self.process.pid}/fd/{port['fd']}", os.O_RDONLY)

    def close(self):
        """Ends the switch, and with it the devices; a namespace ends with the last process in it."""
        set_space(self.home)
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.line:
            self.line.close()
        for fd in [self.home, *self.spaces.values()]:
            os.close(fd)
        self.spaces = {}

    def ask(self, command):
        with self.lock:
            self.line.sendall(f"{command}\n".encode())
            answer = self.file.readline()
        if not answer:
            raise AssertionError(f"the switch has ended: {self.process.poll()}")
        answer = json.loads(answer)
        if not answer["ok"]:
            raise AssertionError(f"{command}: {answer['error']}")
        return answer

    # --- where ---

    def enter(self, host):
        """This thread is on the host from now on, with all that it starts, until close()."""
        set_space(self.spaces[host])

    @contextlib.contextmanager
    def inside(self, host):
        """This thread is on the host: what it starts and which sockets it makes here stay there."""
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            set_space(self.spaces[host])
            yield
        finally:
            set_space(before)
            os.close(before)

    # --- rules ---

    def add_rule(self, name, sources, targets, words):
        self.ask(f"add {name} {','.join(sources)} {','.join(targets)} {' '.join(map(str, words))}")

    def rules_of(self, name):
        return [rule for rule in self.ask("list")["rules"] if rule["name"] == name]

    def end_rules(self, name):
        return self.ask(f"del {name}")["rules"]

    def passed(self, source, target):
        """Packets from the one to the other that were not lost, since the beginning."""
        return self.ask("list")["passed"][self.hosts.index(source)][self.hosts.index(target)]

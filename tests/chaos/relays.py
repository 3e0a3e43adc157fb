"""The network where no switch can be had: a TCP relay for each link between two nodes.

It holds back what flows, as TCP does with what is lost, so cuts and delays look much the same to a node; but connections
are never idle for the kernel, no packet is lost alone, and brokers and clients reach every node.
"""
import asyncio
import time

from net import Links
from relay import Relay

KINDS = ("cut", "flap", "delay")
LOOK = 0.02  # seconds between two looks at whether a link is open again


class Relays(Links, Relay):
    """For the nodes of a cluster that are not started yet: options(node) tells them to use it."""

    def __init__(self, cluster):
        Links.__init__(self, [f"node{node}" for node in range(1, cluster.n_nodes + 1)])
        self.rules = []
        Relay.__init__(self, cluster)

    # --- rules ---

    def add_rule(self, name, sources, targets, words):
        kind, *numbers = words
        if kind not in KINDS:
            raise ValueError(f"a relay cannot do this: {kind}")
        self.rules.append({"name": name, "kind": kind, "numbers": numbers, "since": time.monotonic(),
                           "sources": sources, "targets": targets,
                           "matched": 0, "dropped": 0, "delayed": 0, "delay_max_us": 0})

    def rules_of(self, name):
        return [rule for rule in self.rules if rule["name"] == name]

    def end_rules(self, name):
        ended = self.rules_of(name)
        self.rules = [rule for rule in self.rules if rule["name"] != name]
        return ended

    # --- what flows ---

    def rules_between(self, source, target):
        return [rule for rule in self.rules if f"node{source}" in rule["sources"] and f"node{target}" in rule["targets"]]

    def is_closed(self, source, target):
        return any(is_down(rule) for rule in self.rules_between(source, target))

    async def hold(self, link):
        source, target, _ = link
        for rule in self.rules_between(source, target):
            rule["matched"] += 1
            rule["dropped"] += is_down(rule)
            if rule["kind"] == "delay":
                rule["delayed"] += 1
                rule["delay_max_us"] = max(rule["delay_max_us"], int(1000 * rule["numbers"][0]))
                await asyncio.sleep(rule["numbers"][0] / 1000)
        while self.is_closed(source, target):
            await asyncio.sleep(LOOK)


def is_down(rule):
    if rule["kind"] == "flap":
        up, down = rule["numbers"]
        return 1000 * (time.monotonic() - rule["since"]) % (up + down) < down
    return rule["kind"] == "cut"

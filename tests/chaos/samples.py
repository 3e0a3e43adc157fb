"""What the nodes take while a run lasts: memory, descriptors, disk. Sampled for trends: what rises for as long as one looks has no
bound."""
import collections
import os
import pathlib
import statistics
import threading

EVERY = 2.0                  # seconds
PAGE = os.sysconf("SC_PAGE_SIZE")
TREND_SECONDS_MIN = 600      # shorter runs have no trend: caches fill, the log has not been cut often
MIB = 1 << 20
# By so much the last third of a run may be above the second: a part of what was there, and what comes and goes with the load.
LIMITS = {"memory": (0.1, 32 * MIB), "descriptors": (0.0, 16), "disk": (0.1, 64 * MIB)}


def disk_of(directory):
    """Bytes of all its files; what goes away meanwhile has none."""
    total = 0
    for at, _, names in os.walk(directory):
        for name in names:
            try:
                total += os.stat(os.path.join(at, name)).st_blocks * 512
            except OSError:
                pass
    return total


def taken(pid, directory):
    """By name, bytes or pieces; None when the process is gone."""
    process = pathlib.Path(f"/proc/{pid}")
    try:
        resident = int((process / "statm").read_text(encoding="ascii").split()[1]) * PAGE
        descriptors = len(os.listdir(process / "fd"))
    except OSError:
        return None
    return {"memory": resident, "descriptors": descriptors, "disk": disk_of(directory)}


class Sampler(threading.Thread):
    """Writes a line of the history for each node, again and again, until it is ended."""

    def __init__(self, cluster, recorder):
        super().__init__(daemon=True)
        self.cluster, self.recorder, self.over = cluster, recorder, threading.Event()

    def run(self):
        while not self.over.wait(EVERY):
            for node, process in list(self.cluster.nodes.items()):
                row = taken(process.pid, self.cluster.dir / f"node{node}")
                if row:
                    self.recorder.write("sample", node=node, **row)

    def end(self):
        self.over.set()
        self.join(10)


def trends(history):
    """By measure: the node whose median rises most from the second third of the load to the last, and the most that any had.
    The first third is for caches and windows to fill."""
    load, healed = history.marks.get("load"), history.marks.get("healed")
    if load is None or healed is None:
        return {}
    third, rows = (healed - load) / 3, {}
    for measure in LIMITS:
        parts = collections.defaultdict(lambda: ([], []))
        for line in history.samples:
            if load + third <= line["t"] < healed:
                parts[line["node"]][line["t"] >= load + 2 * third].append(line[measure])
        medians = {node: (statistics.median(before), statistics.median(after))
                   for node, (before, after) in parts.items() if before and after}
        if medians:
            node = max(medians, key=lambda node: medians[node][1] - medians[node][0])
            rows[measure] = {"node": node, "before": medians[node][0], "after": medians[node][1],
                             "most": max(line[measure] for line in history.samples)}
    return rows


def check_trends(history, finding):
    """Only a long run has trends."""
    load, healed = history.marks.get("load"), history.marks.get("healed")
    rows = trends(history)
    for measure, (part, more) in LIMITS.items():
        row = rows.get(measure)
        if not row:
            finding.doubt(f"{measure} was not sampled")
            continue
        told = f"{measure} of node {row['node']}: {row['before']:.0f}, later {row['after']:.0f}, at most {row['most']:.0f}"
        finding.notes.append(told)
        finding.check((healed - load) / 1e9 < TREND_SECONDS_MIN or row["after"] <= row["before"] * (1 + part) + more,
                      f"it rises: {told}")
    return finding

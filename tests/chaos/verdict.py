"""The verdict on a run: what its history shows, in numbers, and whether all of it holds.

It holds when every object is linearizable and every fact holds; `violated` when one is not; and `unknown`, which is no pass,
when something could not be decided, when a kind of fault never fired, when too little was asked before the first of them, or when
an operation that belongs to the load never succeeded.
"""
import bisect
import math
import time

import facts
import linear
import samples
from history import pair
from models import partition

SERVICE = ("submit", "progress_set", "progress_snap")   # writes that the coordinator answers once a majority has them
BEFORE_SECONDS_MIN = 2      # of load before the first fault, so that the throughput before it means something
FEED_LATE_NS = 10 ** 8      # the feed may tell of a coordinator so much later than that one answers
GAP_SECONDS = 0.25          # longer without an answer to a write is a gap in service
OBJECT_SECONDS = 60         # for one object's search
ALL_SECONDS = 240           # for all of them; what is left then is unknown
SHOWN_MAX = 10

HOLDS, VIOLATED, UNKNOWN = "holds", "violated", "unknown"


def percentile(values, part):
    """The nearest-rank percentile: a value that was measured, never one in between. None of none."""
    values = sorted(values)
    return values[max(0, math.ceil(part * len(values)) - 1)] if values else None


def spread(values, digits=3):
    """n, p50, p99 and max, in the unit of the values."""
    values = list(values)
    named = {"p50": percentile(values, 0.5), "p99": percentile(values, 0.99), "max": max(values, default=None)}
    return {"n": len(values)} | {name: None if v is None else round(v, digits) for name, v in named.items()}


# --- what was asked ---

def calls(history):
    """By operation: outcomes, and milliseconds until the answer of those that succeeded."""
    rows = {}
    for op in history.ops:
        row = rows.setdefault(op.f, {"ok": 0, "fail": 0, "unknown": 0, "attempts": 0, "ms": []})
        row["unknown" if op.unknown else "fail" if op.failed else "ok"] += 1
        row["attempts"] += op.fields.get("attempts", 1)
        if op.ok:
            row["ms"].append((op.ret - op.call) / 1e6)
    return {f: row | {"ms": spread(row["ms"], 1)} for f, row in sorted(rows.items())}


def served(history):
    """The writes that were answered: [(return, call)] in order of return."""
    return sorted((op.ret, op.call) for op in history.ops if op.ok and op.f in SERVICE)


class Served:
    """Finds the first write that was asked for after a moment and was answered."""

    def __init__(self, history):
        self.returns = served(history)
        self.times = [ret for ret, _ in self.returns]

    def first_after(self, moment):
        """Its return; None: there is none. One that was asked before may have been answered before."""
        for ret, call in self.returns[bisect.bisect_left(self.times, moment):]:
            if call >= moment:
                return ret
        return None


def throughput_before(history, faults):
    """Writes a second, from the load's beginning to the first fault."""
    load, first = history.marks.get("load"), min((begin["t"] for begin, _ in faults), default=None)
    if load is None or first is None:
        return {"seconds": 0, "writes_per_s": 0}
    lasted = (first - load) / 1e9
    n = sum(load <= ret < first for ret, _ in served(history))
    return {"seconds": round(lasted, 1), "writes_per_s": round(n / lasted, 1) if lasted > 0 else 0}


def gaps(history, faults):
    """Times without an answered write while the clients asked, with the faults that began or went on in them."""
    load, healed = history.marks.get("load"), history.marks.get("healed")
    if load is None or healed is None:
        return []
    times = [load, *(ret for ret, _ in served(history) if load < ret < healed), healed]
    found = []
    for begin, end in zip(times, times[1:]):
        if end - begin >= GAP_SECONDS * 1e9:
            why = sorted({b["f"] for b, e in faults if b["t"] < end and (not e or e["t"] > begin)})
            found.append({"at": begin, "seconds": round((end - begin) / 1e9, 3), "faults": why})
    return found


# --- what was done to it ---

class Terms:
    """Who served when, as the feed has it."""

    def __init__(self, feed):
        self.first, self.rows = {}, []       # first: {term: (time, node)}
        for line in feed:
            if line.get("serving") and line["term"] not in self.first:
                self.first[line["term"]] = line["t"], line["node"]
        self.order = sorted(self.first)

    def at(self, moment):
        """The highest term that was known to be served by then; 0: none."""
        return max((term for term in self.order if self.first[term][0] <= moment), default=0)

    def later(self, term, since):
        """When a higher one was heard of; None: never."""
        return min((t for other, (t, _) in self.first.items() if other > term and t >= since), default=None)


def hits(faults):
    """(kind, moment) of each fault that hit the coordinator. The moment is just after it was done."""
    return [(begin["f"], begin["t"]) for begin, _ in faults if begin.get("coordinator")]


def failovers(history, faults):
    """By kind of fault that hit a coordinator: seconds until a write that was asked for after it was answered, where
    another one had to be elected; `ridden_out` counts those after which the same one went on."""
    rows, terms, served_writes = {}, Terms(history.feed), Served(history)
    for kind, moment in hits(faults):
        row = rows.setdefault(kind, {"seconds": [], "ridden_out": 0, "never": 0})
        again, later = served_writes.first_after(moment), terms.later(terms.at(moment), moment)
        if again is None:
            row["never"] += 1
        elif later is None or later > again + FEED_LATE_NS:
            row["ridden_out"] += 1
        else:
            row["seconds"].append((again - moment) / 1e9)
    everything = [s for row in rows.values() for s in row["seconds"]]
    named = {kind: {"ridden_out": row["ridden_out"], "never": row["never"]} | spread(row["seconds"])
             for kind, row in sorted(rows.items())}
    return {"all": spread(everything)} | named


class CaughtUp:
    """When every node had applied what anybody had applied at a moment."""

    def __init__(self, history):
        self.nodes = range(1, history.run.get("nodes", 0) + 1)
        self.rows = {node: ([], []) for node in self.nodes}
        self.most = ([], [])
        most = 0
        for line in history.feed:
            applied = line.get("applied")
            if applied is None or line["node"] not in self.rows:
                continue
            times, values = self.rows[line["node"]]
            times.append(line["t"])
            values.append(applied)
            if applied > most:
                most = applied
                self.most[0].append(line["t"])
                self.most[1].append(most)

    def seconds(self, moment):
        """None: not while the run lasted."""
        known = bisect.bisect_right(self.most[0], moment)
        target, latest = self.most[1][known - 1] if known else 0, moment
        for times, values in self.rows.values():
            later = range(bisect.bisect_left(times, moment), len(times))
            at = next((times[i] for i in later if values[i] >= target), None)
            if at is None:
                return None
            latest = max(latest, at)
        return (latest - moment) / 1e9


def recoveries(history, faults):
    """For each fault: seconds from its end until a write is answered that was asked for under load, and until all nodes have
    applied what was known then."""
    served_writes, level, rows = Served(history), CaughtUp(history), []
    healed = history.marks.get("healed", math.inf)
    for begin, end in faults:
        if not end:
            continue
        again = served_writes.first_after(end["t"])
        caught = level.seconds(end["t"])
        rows.append({"f": begin["f"], "at": begin["t"], "lasted": round((end["t"] - begin["t"]) / 1e9, 3),
                     "served": None if again is None or again > healed else round((again - end["t"]) / 1e9, 3),
                     "level": None if caught is None else round(caught, 3)})
    return rows


def fired(history, recovered):
    """By kind: how often, how long, and how long until all was level again; kinds that were to fire and did not have
    0."""
    rows = {kind: [] for kind in history.run.get("kinds", [])}
    for row in recovered:
        rows.setdefault(row["f"], []).append(row)
    return {kind: {"n": len(list_), "lasted": spread((r["lasted"] for r in list_), 1),
                   "served": spread(r["served"] for r in list_ if r["served"] is not None),
                   "level": spread(r["level"] for r in list_ if r["level"] is not None)}
            for kind, list_ in sorted(rows.items())}


# --- whether it holds ---

def check_objects(history, seconds=ALL_SECONDS):
    """Searches each object's history; what there was no time for is unknown."""
    began, kinds, told = time.monotonic(), {}, []
    for name, (model, ops) in sorted(partition(history).items(), key=lambda item: len(item[1][1])):
        left = seconds - (time.monotonic() - began)
        outcome = linear.check(model, ops, min(OBJECT_SECONDS, max(left, 0.1)))
        row = kinds.setdefault(name.split()[0], {"objects": 0, "operations": 0, "configurations": 0, "widest": 0,
                                                 "violated": 0, "unknown": 0})
        row["objects"] += 1
        row["operations"] += len(ops)
        row["configurations"] += outcome.explored
        row["widest"] = max(row["widest"], outcome.widest)
        if outcome.verdict != linear.LINEARIZABLE:
            row[outcome.verdict] += 1
            told.append({"object": name, "verdict": outcome.verdict, "text": outcome.text()})
    return {"kinds": kinds, "told": told, "seconds": round(time.monotonic() - began, 1)}


def reasons(history, faults, result):
    """(what is violated, what is unknown or was not done): lines for people."""
    bad, lacking, run = [], [], history.run
    for row in result["linearizability"]["told"]:
        (bad if row["verdict"] == linear.VIOLATED else lacking).append(f"{row['object']}: {row['text']}")
    for row in result["facts"]:
        bad += [f"{row['name']}: {text}" for text in row["faults"]]
        lacking += [f"{row['name']}: {text}" for text in row["doubts"]]
        if row["verdict"] == UNKNOWN and not row["doubts"]:
            lacking.append(f"{row['name']}: nothing was looked at")
    bad += [f"{f}: " + text for f, text in run.get("errors", [])]
    lacking += [f"the fault {kind} never fired" for kind in run.get("kinds", []) if not result["faults"][kind]["n"]]
    lacking += [f"the fault {begin['f']} has no end" for begin, end in faults if not end]
    lacking += [f"no {f} succeeded" for f in run.get("load", []) if not result["calls"].get(f, {}).get("ok")]
    before, least = result["before"], run.get("writes_per_s_min", 1)
    if before["seconds"] < BEFORE_SECONDS_MIN or before["writes_per_s"] < least:
        lacking.append(f"before the first fault {before['writes_per_s']} writes a second in {before['seconds']} s: "
                       f"{least} and {BEFORE_SECONDS_MIN} s are the least")
    lacking += [f"the run did not get to '{mark}'" for mark in ("load", "healed") if mark not in history.marks]
    if history.cut_short:
        lacking.append("the history's last line was cut off")
    return bad, lacking


def judge(history, oracle=None):
    """Everything about a run, as JSON has it."""
    faults = pair(history.faults, lambda line: line["id"])
    recovered = recoveries(history, faults)
    result = {"schema": 1, "run": history.run, "calls": calls(history), "before": throughput_before(history, faults),
              "faults": fired(history, recovered), "gaps": gaps(history, faults), "failover": failovers(history, faults),
              "recovery": recovered, "trends": samples.trends(history), "linearizability": check_objects(history)}
    result["facts"] = [check(history, oracle).as_json() if check is facts.check_digits else check(history).as_json()
                       for check in facts.ALL]
    bad, lacking = reasons(history, faults, result)
    result |= {"verdict": VIOLATED if bad else UNKNOWN if lacking else HOLDS, "violated": bad, "unknown": lacking}
    looked = sum(row["looked_at"] for row in result["facts"])
    looked += sum(row["objects"] for row in result["linearizability"]["kinds"].values())
    result["checks"] = {"passed": looked - len(bad), "failed": len(bad) + len(lacking)}
    return result


# --- for people ---

def columns(head, rows):
    """Lines of a table: the first column to the left, all others to the right."""
    rows = [head, *([str("-" if cell is None else cell) for cell in row] for row in rows)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    return ["  " + "  ".join(cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths)))
            for row in rows]


def triple(row):
    return [row["p50"], row["p99"], row["max"]]


def table(result):
    """The verdict for people, as text."""
    run, lines = result["run"], []
    lines.append(f"seed {run.get('seed')}, {run.get('nodes')} nodes, build {run.get('build', '?')}")
    lines += ["", "faults"] + columns(
        ["kind", "fired", "lasted s p50", "served again s p50", "p99", "max", "level again s p50", "p99", "max"],
        [[kind, row["n"], row["lasted"]["p50"], *triple(row["served"]), *triple(row["level"])]
         for kind, row in result["faults"].items()])
    lines += ["", "calls"] + columns(
        ["operation", "ok", "failed", "unknown", "attempts", "ms p50", "p99", "max"],
        [[f, row["ok"], row["fail"], row["unknown"], row["attempts"], *triple(row["ms"])]
         for f, row in result["calls"].items()])
    lines += ["", "failover: from the fault to the answer to a write that was asked for after it, seconds"] + columns(
        ["kind", "n", "p50", "p99", "max", "ridden out", "never"],
        [[kind, row["n"], *triple(row), row.get("ridden_out", ""), row.get("never", "")]
         for kind, row in result["failover"].items()])
    longest = sorted(result["gaps"], key=lambda gap: -gap["seconds"])
    lines += ["", f"gaps in service: {len(longest)} of {GAP_SECONDS} s or more, "
              f"{sum(g['seconds'] for g in longest):.1f} s in all; before the first fault "
              f"{result['before']['writes_per_s']} writes a second in {result['before']['seconds']} s"]
    lines += [f"  {gap['seconds']:.3f} s  {', '.join(gap['faults']) or 'no fault'}" for gap in longest[:SHOWN_MAX]]
    searched = result["linearizability"]
    lines += ["", f"linearizability ({searched['seconds']} s)"] + columns(
        ["objects", "n", "operations", "configurations", "widest", "violated", "unknown"],
        [[kind, *row.values()] for kind, row in searched["kinds"].items()])
    lines += ["", "what nodes take: medians of the second and the last third of the load, of the node where it rises most"]
    lines += columns(["", "node", "before", "after", "at most, of any"],
                     [[f"{name}{unit}", row["node"], *(round(row[key] / size, 1) for key in ("before", "after", "most"))]
                      for name, row in result["trends"].items()
                      for unit, size in [("", 1) if name == "descriptors" else (", MiB", samples.MIB)]])
    lines += ["", "facts"] + columns(
        ["fact", "looked at", "violated", "unknown", "verdict"],
        [[row["name"], row["looked_at"], row["violated"], row["unknown"], row["verdict"]] for row in result["facts"]])
    for name in ("violated", "unknown"):
        lines += [f"\n{name.upper()} {text}" for text in result[name][:SHOWN_MAX]]
    return "\n".join([*lines, "", f"verdict: {result['verdict']}"])

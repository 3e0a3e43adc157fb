"""The verdict on histories that are made up: a run in which all is well, and the same with one thing wrong."""
import hashlib
import json
import math
import xml.etree.ElementTree as xml

import pytest

import check
import timeline
import verdict
from history import parse
from models import STEP

SECOND = 10 ** 9


def answer(n, job, state="done", **more):
    text = str(math.factorial(n)).encode()
    row = {"job": job, "key": f"k{job}", "spec": str(n), "state": state, "done": 3, "total": 3}
    return row | ({"sha256": hashlib.sha256(text).hexdigest(), "digits": len(text)} if state == "done" else {}) | more


class Run:
    """20 s of two nodes: node 1 leads until it is killed at 10 s, node 2 from 10.3 s on; a write is answered every 0.1
    s."""

    def __init__(self):
        self.lines = []
        self.at(0, "run", seed=7, nodes=2, build="b", kinds=["kill_coordinator"], load=["submit"], writes_per_s_min=5,
                balances={"1": {"a": 60}, "2": {"a": 140}}, progress_sum={"before": 3, "after": 9, "operations": 6},
                minorities=[{"nodes": [1], "answered": True}])
        self.at(0, "mark", f="load")
        self.at(20, "mark", f="healed")
        self.at(23, "mark", f="level")
        self.fault = self.at(10, "fault", f="kill_coordinator", phase="begin", id=1, nodes=[1], coordinator=True)
        self.fault_end = self.at(12, "fault", f="kill_coordinator", phase="end", id=1)
        for i in range(200):
            if not 99 <= i < 103:
                self.op(i / 10, i / 10 + 0.05, "submit", {"key": f"k{i}", "spec": "5"}, answer(5, i, "running"))
                self.op(20.5 + i / 1000, 20.6 + i / 1000, "job_get", {"key": f"k{i}", "spec": "5", "job": i}, answer(5, i))
        # Asked for before the kill, answered after it: no sign of a new coordinator.
        self.op(9.95, 10.02, "submit", {"key": "k99", "spec": "5"}, answer(5, 99, "running"))
        self.op(20.5, 20.6, "job_get", {"key": "k99", "spec": "5", "job": 99}, answer(5, 99))
        for node, amount in ((1, 100), (2, 100)):
            self.op(0.1, 0.2, "bank_deposit", {"node": node, "account": "a", "amount": amount}, {})
        self.op(0.3, 0.4, "bank_transfer", {"node": 1, "account": "a", "amount": 40, "to": "a", "to_node": 2}, {})
        self.op(5, 6, "progress_snap", {"key": "s"}, {"snapshot": 0})
        self.op(7, 8, "progress_past", {"index": 1, "snapshot": 0}, {"found": True, "state": 0})
        name = {"initiator": 1, "incarnation": 5, "counter": 1}
        self.op(8, 8.1, "snapshot_take", {"node": 1}, name | {"complete": True})
        self.snapshot = self.op(8.2, 8.3, "snapshot_get", name,
                                {"complete": True, "money": 200, "counts_agree": True, "sha256": "x"})
        for i in range(230):
            t, node = i / 10, 1 if i < 100 else 2
            self.feed(t, node, i, term=node, role="coordinator", serving=i >= 103 or node == 1, applied=min(i, 201))
            if not 100 <= i < 120:
                self.feed(t, 3 - node, i, term=node, role="worker", applied=min(i, 201), life=i >= 120 and 1)

        for t in range(20):
            for node in (1, 2):
                self.at(t, "sample", node=node, memory=50 << 20, descriptors=60, disk=10 << 20)

    def at(self, t, kind, **fields):
        self.lines.append({"t": int(t * SECOND), "type": kind} | fields)
        return self.lines[-1]

    def op(self, call, ret, f, args, result, kind="ok"):
        process = f"p{len(self.lines)}"
        self.at(call, "invoke", p=process, f=f, args=args)
        return self.at(ret, kind, p=process, f=f, result=result)

    def feed(self, t, node, seq, life=0, **more):
        return self.at(t, "feed", node=node, incarnation=life, seq=seq, **more)

    def judge(self):
        self.history = parse(self.lines)
        return verdict.judge(self.history)


def test_a_run_in_which_all_is_well_holds():
    result = Run().judge()
    assert result["verdict"] == "holds", (result["violated"], result["unknown"])
    assert result["checks"]["failed"] == 0 and result["checks"]["passed"] > 400
    assert result["before"] == {"seconds": 10.0, "writes_per_s": 10.0}
    failover = result["failover"]["kill_coordinator"]
    assert failover == {"ridden_out": 0, "never": 0, "n": 1, "p50": 0.35, "p99": 0.35, "max": 0.35}
    assert [(gap["seconds"], gap["faults"]) for gap in result["gaps"]] == [(0.33, ["kill_coordinator"])]
    kill = result["faults"]["kill_coordinator"]
    assert kill["n"] == 1 and kill["served"]["max"] == 0.05 and kill["level"]["max"] == 0.0
    assert result["calls"]["submit"]["ok"] == 197 and result["calls"]["submit"]["ms"]["p50"] == 50.0


def lines_of(run, kind, **wanted):
    return [line for line in run.lines if line["type"] == kind and wanted.items() <= line.items()]


def set_in(run, kind, field, value, **wanted):
    for line in lines_of(run, kind, **wanted):
        line[field] = value


def remove(run, kind, **wanted):
    for line in lines_of(run, kind, **wanted):
        run.lines.remove(line)


def slow_node(run):
    """Node 2 has applied the last entry only after 30 s; the run waits for it."""
    for line in lines_of(run, "feed", node=2):
        line["applied"] = min(line["applied"], 200)
    set_in(run, "mark", "t", 31 * SECOND, f="level")
    run.feed(30.5, 2, 500, term=2, role="coordinator", applied=201, serving=True)


def read_too_early(run):
    """The last answer about job 7 is from before the end of the trouble."""
    for line in lines_of(run, "invoke", f="job_get"):
        if line["args"]["key"] == "k7":
            line["t"] = 19 * SECOND


WRONG_DIGITS = answer(5, 7, sha256="00")

VIOLATIONS = {
    "digits": lambda run: run.op(22, 22.1, "job_get", {"key": "k8", "spec": "5", "job": 8}, answer(5, 8, digits=4)),
    "job k7": lambda run: run.op(22, 22.1, "job_get", {"key": "k7", "spec": "5", "job": 7}, WRONG_DIGITS),
    "one job a key": lambda run: run.op(19, 19.1, "submit", {"key": "kx", "spec": "5"}, answer(5, 7, key="kx")),
    "acknowledged jobs": lambda run: run.op(22, 22.1, "job_get", {"key": "k7", "spec": "5", "job": 7},
                                           answer(5, 7, "running")),
    "past snaps": lambda run: run.op(9, 9.1, "progress_past", {"index": 1, "snapshot": 0}, {"found": True, "state": 1}),
    "progress": lambda run: run.op(9, 9.1, "progress_get", {"index": 1}, {"state": STEP, "snaps": 1}),
    "progress adds up": lambda run: set_in(run, "run", "progress_sum", {"before": 3, "after": 10, "operations": 6}),
    "money": lambda run: set_in(run, "run", "balances", {"1": {"a": 61}, "2": {"a": 139}}),
    "snapshots": lambda run: run.snapshot["result"].update(money=199),
    "one coordinator a term": lambda run: run.feed(15, 1, 1000, term=2, role="coordinator", applied=201),
    "a minority may stop": lambda run: set_in(run, "run", "minorities", [{"nodes": [1], "answered": False}]),
    "applied everywhere: node 2 took 10.5 s": slow_node,
    "applied everywhere": lambda run: [line.update(applied=min(150, line["applied"]))
                                       for line in lines_of(run, "feed", node=1)],
}


@pytest.mark.parametrize("name", VIOLATIONS)
def test_one_thing_that_is_wrong_is_violated_and_named(name):
    run = Run()
    VIOLATIONS[name](run)
    result = run.judge()
    assert result["verdict"] == "violated" and any(text.startswith(name) for text in result["violated"]), result["violated"]
    assert "verdict: violated" in verdict.table(result)


LACKS = {
    "the fault wipe never fired": lambda run: set_in(run, "run", "kinds", ["kill_coordinator", "wipe"]),
    "the fault kill_coordinator has no end": lambda run: run.lines.remove(run.fault_end),
    "no job_cancel succeeded": lambda run: set_in(run, "run", "load", ["submit", "job_cancel"]),
    "before the first fault 10.0 writes": lambda run: set_in(run, "run", "writes_per_s_min", 11),
    "before the first fault": lambda run: run.fault.update(t=SECOND),
    "acknowledged jobs: nobody asked": lambda run: run.op(19, 19.1, "submit", {"key": "kx", "spec": "5"},
                                                         answer(5, 999, key="kx")),
    "acknowledged jobs: nobody asked for it in the end: p34": read_too_early,
    "progress adds up": lambda run: set_in(run, "run", "progress_sum", None),
    "money: the balances": lambda run: set_in(run, "run", "balances", None),
    "a minority may stop": lambda run: set_in(run, "run", "minorities", None),
    "bounds: memory was not": lambda run: remove(run, "sample"),
    "one coordinator a term": lambda run: remove(run, "feed"),
    "applied everywhere: no heartbeat": lambda run: set_in(run, "mark", "t", 0, f="level"),
    "the run did not get to 'healed'": lambda run: remove(run, "mark", f="healed"),
    "past snaps: nothing": lambda run: [run.lines.remove(line) for line in list(run.lines)
                                        if line.get("f") == "progress_past"],
}


@pytest.mark.parametrize("text", LACKS)
def test_what_was_not_done_or_not_seen_is_unknown_and_no_pass(text):
    run = Run()
    LACKS[text](run)
    result = run.judge()
    assert result["verdict"] == "unknown", result["violated"]
    assert any(why.startswith(text) for why in result["unknown"]), result["unknown"]
    assert result["checks"]["failed"]


def test_a_search_that_is_given_up_is_unknown(monkeypatch):
    monkeypatch.setattr(verdict.linear, "CONFIGURATIONS_MAX", 0)
    monkeypatch.setattr(verdict.linear.check, "__defaults__", (60, 0))
    result = Run().judge()
    assert result["verdict"] == "unknown" and "more than 0 configurations" in result["unknown"][0]


def test_money_of_unknown_outcome_is_there_or_not_but_nothing_else():
    run = Run()
    lost = {"node": 2, "account": "a", "amount": 7, "to": "a", "to_node": 1}
    run.at(9, "invoke", p="t", f="bank_transfer", args=lost)
    for balances, holds in (((60, 140), True), ((67, 133), True), ((67, 140), False), ((60, 133), False),
                            ((74, 126), False)):
        set_in(run, "run", "balances", {"1": {"a": balances[0]}, "2": {"a": balances[1]}})
        assert (run.judge()["verdict"] == "holds") == holds, balances


def test_money_on_a_wiped_disk_is_lost_once():
    run = Run()
    for phase, t, lost in (("begin", 13, {"a": 140}), ("end", 14, {})):
        run.at(t, "wipe", node=2, phase=phase, lost=lost)
    run.op(14.5, 14.6, "bank_deposit", {"node": 2, "account": "a", "amount": 5}, {})
    set_in(run, "run", "balances", {"1": {"a": 60}, "2": {"a": 5}})
    assert run.judge()["verdict"] == "holds"
    set_in(run, "run", "balances", {"1": {"a": 60}, "2": {"a": 145}})
    assert run.judge()["verdict"] == "violated"


def test_a_stop_that_the_coordinator_outlives_is_no_failover():
    run = Run()
    run.lines = [line for line in run.lines if line["type"] != "feed" or line["term"] == 1]
    assert run.judge()["failover"]["kill_coordinator"]["ridden_out"] == 1


def long_run(rise):
    """Half an hour in which the memory of node 2 rises by so many bytes a second."""
    run = Run()
    for line in run.lines:
        line["t"] *= 90
    for line in lines_of(run, "sample", node=2):
        line["memory"] += line["t"] * rise // SECOND
    return next(row for row in run.judge()["facts"] if row["name"] == "bounds")


def test_what_rises_as_long_as_one_looks_has_no_bound():
    assert long_run(0)["verdict"] == long_run(50 << 10)["verdict"] == "holds"
    worse = long_run(200 << 10)
    assert worse["verdict"] == "violated" and worse["faults"][0].startswith("it rises: memory of node 2"), worse


def test_percentiles_are_values_that_were_measured():
    assert verdict.percentile([5], 0.5) == 5 and verdict.percentile([], 0.5) is None
    assert verdict.percentile(range(1, 101), 0.5) == 50 and verdict.percentile(range(1, 101), 0.99) == 99
    assert verdict.percentile([1, 2], 0.5) == 1 and verdict.percentile([1, 2], 0.99) == 2


def test_the_files_for_people_and_for_machines(tmp_path, capsys, monkeypatch):
    run = Run()
    (tmp_path / "h").write_text("".join(json.dumps(line) + "\n" for line in run.lines))
    monkeypatch.setattr("sys.argv", ["check.py", str(tmp_path / "h"), "--json", str(tmp_path / "j"),
                                     "--svg", str(tmp_path / "s")])
    assert check.main() == 0
    text = capsys.readouterr().out
    for word in ("kill_coordinator", "failover", "gaps in service: 1", "applied everywhere", "verdict: holds"):
        assert word in text
    assert json.loads((tmp_path / "j").read_text())["verdict"] == "holds"
    picture = xml.parse(tmp_path / "s").getroot()
    titles = [title.text for title in picture.iter("{http://www.w3.org/2000/svg}title")]
    for start in ("term 1: node 1", "term 2: node 2", "0.33 s at",
                  "kill_coordinator, nodes 1: 10.00 s, for 2.00 s, hit the coordinator"):
        assert any(title.startswith(start) for title in titles), start
    run.fault["nodes"] = ["<&>"]
    xml.fromstring(timeline.svg(parse(run.lines), run.judge()))


def test_a_file_that_is_no_history_is_refused(tmp_path, capsys, monkeypatch):
    (tmp_path / "h").write_text("{\n{}\n")
    monkeypatch.setattr("sys.argv", ["check.py", str(tmp_path / "h")])
    assert check.main() == 2 and "line 1" in capsys.readouterr().err

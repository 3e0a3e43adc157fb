"""Files of histories: what is written is read again, and what is no history is refused."""
import json

import pytest

import history as histories
from history import Malformed, Recorder, load, pair, parse


def call(t, p="a", f="submit", **more):
    return {"t": t, "type": "invoke", "p": p, "f": f, "args": {}} | more


def end(t, p="a", f="submit", kind="ok", **more):
    return {"t": t, "type": kind, "p": p, "f": f} | more


def test_what_is_recorded_is_read_again(tmp_path):
    recorder = Recorder(tmp_path / "h")
    recorder.write("run", seed=7, nodes=3)
    recorder.mark("load")
    recorder.invoke("a", "submit", {"key": "k"})
    recorder.invoke("b", "progress_set", {"index": 1, "state": 5})
    recorder.invoke("c", "kv_put", {"node": 1, "name": "x", "value": "y"})
    recorder.complete("a", "submit", "ok", result={"job": 1}, attempts=2)
    recorder.complete("c", "kv_put", "fail", result="invalid")
    recorder.complete("b", "progress_set", "info")
    recorder.invoke("d", "submit", {"key": "l"})
    assert recorder.count("submit") == 1 and recorder.count("progress_set", "info") == 1
    recorder.close()
    history = load(tmp_path / "h")
    a, b, c, d = history.ops
    assert history.run == {"seed": 7, "nodes": 3} and history.marks["load"] <= a.call < a.ret
    assert a.ok and a.result == {"job": 1} and a.fields["attempts"] == 2
    assert b.unknown and not b.ok and c.failed and not c.ok and not c.unknown
    assert d.unknown and not history.cut_short


def test_a_last_line_that_was_cut_off_leaves_its_operation_unknown(tmp_path):
    lines = [json.dumps(line) for line in (call(1), end(2, result={"job": 1}))]
    (tmp_path / "h").write_text("\n".join(lines)[:-5])
    history = load(tmp_path / "h")
    assert history.cut_short and history.ops[0].unknown


@pytest.mark.parametrize("lines", [
    [end(1)],
    [call(1), call(2)],
    [call(1), end(2), end(3)],
    [call(1), end(2, f="job_get")],
    [call(2), end(1)],
    [{"t": 1, "type": "guess"}],
    [{"type": "mark", "f": "load"}],
    ["text"],
])
def test_what_contradicts_itself_is_no_history(lines):
    with pytest.raises(Malformed):
        parse(lines)


def test_damage_in_the_middle_is_no_history(tmp_path):
    (tmp_path / "h").write_text("{\n" + json.dumps(call(1)) + "\n")
    with pytest.raises(Malformed, match="line 1"):
        load(tmp_path / "h")


def test_begins_are_paired_with_their_ends():
    lines = [{"phase": phase, "id": number} for phase, number in (("begin", 1), ("begin", 2), ("end", 1), ("end", 9))]
    assert [(b["id"], e and e["id"]) for b, e in pair(lines, lambda line: line["id"])] == [(1, 1), (2, None)]


def test_an_unknown_operation_never_ends():
    op = parse([call(1)]).ops[0]
    assert op.ret == histories.NEVER and "unknown" in repr(op) and ".. ?" in repr(op)

"""The clients that record, against a cluster's double: a correct one is never accused, and each planted fault is seen."""
import hashlib
import time

import pytest

import linear
from chaos import Final
from double import FAULTS, Double
from facts import Oracle, check_adds_up, check_digits, check_final_jobs, check_keys, check_money, check_snaps
from harness import ROOT, wait_for
from history import Recorder, load
from models import partition
from workload import Prober, Progress, Shared, Submitter, Teller, Values

LOAD_SECONDS, LOAD_SECONDS_MAX = 0.6, 20
RUNS_MAX = 25   # most planted faults show in the first; on a busy machine a run has few operations
LOAD = ("submit", "job_get", "job_cancel", "progress_set", "progress_get", "progress_snap", "progress_past",
        "kv_put", "kv_get", "kv_del", "bank_transfer")
SMALL = range(0, 40)


def clients_for(double, recorder, seed):
    shared = Shared()
    seeds = iter(range(100 * seed, 100 * seed + 99))
    found = [Submitter(double, next(seeds), recorder, f"submit-{i}", SMALL, shared) for i in range(2)]
    found += [Progress(double, next(seeds), recorder, f"progress-{i}", i) for i in range(2)]
    found += [Values(double, next(seeds), recorder, f"values-{i}") for i in range(2)]
    found.append(Teller(double, next(seeds), recorder, "teller"))
    return [*found, Prober(double, next(seeds), recorder, "probe", shared)]


def run(tmp_path, seed, fault=None, kind=Double, seen=lambda: True):
    """Load until every kind of operation has succeeded and seen() holds, too; then all is asked once more."""
    double, recorder = kind(seed, fault), Recorder(tmp_path / f"history-{seed}")
    double.start()
    recorder.write("run", seed=seed, nodes=double.n_nodes)
    clients = clients_for(double, recorder, seed)
    teller = clients[-2]
    for node in range(1, double.n_nodes + 1):
        teller.deposit(node, 10000)
    for client in clients:
        client.retry_ms, client.RETRY, client.pace = 25, 0.025, 0.001
        client.start()
    began = time.monotonic()
    wait_for(lambda: time.monotonic() > began + LOAD_SECONDS and all(recorder.count(f) for f in LOAD) and seen(),
             LOAD_SECONDS_MAX, "every kind of operation succeeds")
    for client in clients:
        client.over.set()
    for client in clients:
        client.end()
    double.calm = True
    recorder.mark("healed")
    Final(double, recorder, clients[0].shared).ask({snap for client in clients[2:4] for _, snap in client.taken[-5:]})
    double.end()
    recorder.close()
    assert not [client.errors for client in clients if client.errors]
    return load(tmp_path / f"history-{seed}")


def faults_of(history):
    found = [f"{name}: {outcome.text()}" for name, (model, ops) in partition(history).items()
             if (outcome := linear.check(model, ops)).verdict != linear.LINEARIZABLE]
    for check in (check_digits, check_keys, check_final_jobs, check_snaps, check_adds_up, check_money):
        finding = check(history)
        found += [f"{check.__name__}: {text}" for text in finding.faults + finding.unknown]
    return found


@pytest.mark.parametrize("seed", range(4))
def test_a_correct_cluster_is_never_accused(tmp_path, seed):
    history = run(tmp_path, seed)
    assert not faults_of(history)
    assert all(history.completed(f) for f in LOAD) and any(op.unknown for op in history.ops)


def tables():
    """The messages as docs/protocol.md has them: {name: {field: whether it is required}}."""
    found, fields = {}, {}
    for line in (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("#### "):
            fields = found.setdefault(line[5:], {})
        elif line.startswith("| `") and line.count("|") >= 6:
            name, _, _, need, _ = (cell.strip() for cell in line.strip("|").split("|", 4))
            fields[name.strip("`")] = need == "required"
    return found


# What is to have been said before a run ends. Bank_list and its rows are Final's, after the load.
SPOKEN = {"submit", "job_get", "result_get", "progress_snap", "kv_put", "kv_del", "bank_transfer", "job", "job_row", "result_chunk", "progress",
          "kv_value", "error"}


class Documented(Double):
    """Compares all that is asked and answered with the documentation, from which neither side was made."""
    messages, wrong, types = tables(), set(), set()

    def look(self, kind, fields, everything):
        known = self.messages.get(kind)
        if known is None:
            self.wrong.add(f"there is no message {kind}")
            return
        self.types.add(kind)
        self.wrong |= {f"{kind} has no field {name}" for name in fields if name not in known}
        if everything:
            self.wrong |= {f"{kind} lacks {name}" for name, required in known.items() if required and name not in fields}

    def execute(self, client, body, answered):
        asked = {name: value for name, value in body.items() if name not in ("type", "request", "node")}
        self.look(body["type"], asked, True)
        super().execute(client, body, answered)

    def send(self, client, body, answer, *frames):
        self.look(answer["type"], {"request", *answer} - {"type"}, True)
        for row in answer.get("jobs", []):
            self.look("job_row", row, False)
        for row in answer.get("accounts", []):
            self.look("account_row", row, True)
        super().send(client, body, answer, *frames)


def test_clients_and_the_double_speak_as_the_documentation_says(tmp_path):
    run(tmp_path, 0, kind=Documented, seen=lambda: SPOKEN <= Documented.types)
    assert not Documented.wrong
    assert {"bank_list", "account_row"} <= Documented.types


@pytest.mark.parametrize("fault", FAULTS)
def test_each_planted_fault_is_seen(tmp_path, fault):
    seen = next((seed for seed in range(RUNS_MAX) if faults_of(run(tmp_path, seed, fault))), None)
    assert seen is not None, f"{fault} was not seen in {RUNS_MAX} runs"


def test_a_refusal_that_nobody_expects_is_an_error_of_the_client(tmp_path):
    double, recorder = Double(1), Recorder(tmp_path / "h")
    double.submit = lambda body: double.refuse("no such code")
    double.start()
    client = Submitter(double, 1, recorder, "s", SMALL, Shared())
    client.start()
    client.join(10)
    double.end()
    assert "no such code" in client.errors[0]


def test_the_oracle_knows_ten_factorial():
    assert Oracle().of(10) == (7, hashlib.sha256(b"3628800").hexdigest())

"""What must hold over a whole history, beside the order of operations on each object: digits, keys, money, terms, healing.

Each check returns a Finding: what it looked at, and what was wrong or could not be known. What could not be known is no pass.
"""
import collections
import hashlib
import itertools
import math
import sys

import samples
from history import pair
from models import ENDS, STEP

sys.set_int_max_str_digits(0)

APPLIED_SECONDS = 10     # after the end of the trouble, until every node has applied everything
SHOWN_MAX = 10           # faults of one kind that are told one by one
POISON = "killed its worker"
POISONED_MOST = 2        # a kill from outside looks like one by the operation, and the third one in a row fails its job
MAYBE_MAX = 16           # changes of money of unknown outcome: 2^16 ways to explain the balances


class Finding:
    """`looked`: so many things were checked; none is no pass either."""

    def __init__(self, name):
        self.name, self.looked, self.faults, self.unknown, self.notes = name, 0, [], [], []

    def check(self, holds, text):
        self.looked += 1
        if not holds:
            self.faults.append(text() if callable(text) else text)

    def doubt(self, text):
        self.unknown.append(text)

    @property
    def verdict(self):
        return "violated" if self.faults else "holds" if self.looked and not self.unknown else "unknown"

    def as_json(self):
        return {"name": self.name, "verdict": self.verdict, "looked_at": self.looked, "violated": len(self.faults),
                "unknown": len(self.unknown), "faults": self.faults[:SHOWN_MAX], "doubts": self.unknown[:SHOWN_MAX],
                "notes": self.notes}


# --- jobs ---

class Oracle:
    """The right answers, by Python's own factorial."""

    def __init__(self):
        self.known = {}

    def of(self, n):
        """(digits, SHA-256 of the decimal text)."""
        if n not in self.known:
            text = str(math.factorial(n))
            self.known[n] = len(text), hashlib.sha256(text.encode()).hexdigest()
        return self.known[n]


def check_digits(history, oracle=None):
    """Every result that anybody was told, at any time, is the right one, whole."""
    finding, oracle = Finding("digits"), oracle or Oracle()
    for op in history.ops:
        row = op.result
        if not op.ok or op.f not in ("submit", "job_get", "job_cancel", "job_result") or row.get("state") != "done":
            continue
        digits, sha256 = oracle.of(int(op.args["spec"]))
        finding.check(row["sha256"] == sha256 and row.get("digits", digits) == digits,
                      lambda op=op, digits=digits: f"{op.args['spec']}! has {digits} digits: {op}")
        if "done" in row and "total" in row:
            finding.check(row["done"] == row["total"], f"done, with {row['done']} of {row['total']} operations: {op}")
    return finding


def check_keys(history):
    """One id for a key, one key for an id: what two submits with the same key ask for happens once."""
    finding, job_of, key_of = Finding("one job a key"), {}, {}
    for op in history.ops:
        if op.ok and op.f == "submit" and "job" in op.result:
            key, job = op.args["key"], op.result["job"]
            finding.check(job_of.setdefault(key, job) == job, f"key {key} is job {job_of[key]} and job {job}")
            finding.check(key_of.setdefault(job, key) == key, f"job {job} has the keys {key_of[job]} and {key}")
        if op.ok and op.f in ("submit", "job_get", "job_cancel") and "job" in op.result:
            row = op.result
            finding.check(row.get("key", op.args["key"]) == op.args["key"] and
                          row.get("spec", op.args["spec"]) == op.args["spec"], f"another job's key or spec: {op}")
    return finding


def check_final_jobs(history):
    """Every acknowledged job was asked for after all was healed, and had ended. Without such a read it is unknown."""
    finding, healed = Finding("acknowledged jobs"), history.marks.get("healed")
    accepted, ended = {}, {}
    for op in history.ops:
        if op.ok and op.f == "submit" and "job" in op.result:
            accepted.setdefault(op.args["key"], op)
        if healed and op.ok and op.f in ("job_get", "job_result") and op.call >= healed:
            ended[op.args["key"]] = op.result
    for key, op in accepted.items():
        row = ended.get(key)
        if row is None:
            finding.doubt(f"nobody asked for it in the end: {op}")
        elif not row.get("forgotten"):       # whether it may be forgotten is for the check of its history
            finding.check(row.get("state") in ENDS, f"accepted, and in the end {row}: {op}")
    failed = [row.get("error", "") for row in ended.values() if row.get("state") == "failed"]
    poisoned = sum(POISON in error for error in failed)
    if poisoned:
        finding.notes.append(f"{poisoned} jobs failed because their workers were killed three times")
    finding.check(len(failed) == poisoned <= POISONED_MOST,
                  f"{len(failed)} jobs failed, {poisoned} of them as poison; no fault that is injected makes a factorial fail")
    if not accepted:
        finding.doubt("no job was accepted")
    return finding


# --- progress ---

def check_snaps(history):
    """What a past snap tells never changes (whether it was ever right is for the check of the progress' history)."""
    finding, known = Finding("past snaps"), {}
    for op in history.completed("progress_past"):
        if op.result.get("found"):
            snap = op.args["snapshot"], op.args["index"]
            first = known.setdefault(snap, op)
            finding.check(first.result == op.result, lambda first=first, op=op: f"{first}\n  but then {op}")
    return finding


def check_adds_up(history):
    """While nothing is set, the registers rise by as many operations as jobs have. `progress_sum` of the run has the
    sum of the registers before and after jobs that were computed when all was quiet, and the operations of these."""
    finding, run = Finding("progress adds up"), history.run.get("progress_sum")
    if not run:
        finding.doubt("the run did not add up its progress in the end")
        return finding
    rose = run["after"] - run["before"]
    finding.check(rose == run["operations"] < STEP, f"jobs had {run['operations']} operations, progress rose by {rose}")
    return finding


# --- money ---

def effects_of(op):
    """What a change of money does to accounts: {(node, account): amount}."""
    args, change = op.args, collections.Counter()
    here = args["node"], args["account"]
    if op.f == "bank_deposit":
        change[here] += args["amount"]
    elif op.f == "bank_transfer":
        change[here] -= args["amount"]
        change[args["to_node"], args["to"]] += args["amount"]
    return {account: amount for account, amount in change.items() if amount}


def explain(missing, maybes):
    """Whether some of the changes that may have happened make up what is missing: {account: amount}."""
    for chosen in itertools.product((False, True), repeat=len(maybes)):
        total = collections.Counter()
        for change in itertools.compress(maybes, chosen):
            for account, amount in change.items():
                total[account] += amount
        if all(total[account] == missing.get(account, 0) for account in {*total, *missing}):
            return True
    return False


def check_money(history):
    """Each account has what its deposits and transfers, each counted once, make of it: not only the sum of all."""
    finding, expected, maybes = Finding("money"), collections.Counter(), []
    for op in history.ops:
        if op.f not in ("bank_deposit", "bank_transfer") or op.failed:
            continue
        if op.unknown:
            maybes.append(effects_of(op))
            continue
        for account, amount in effects_of(op).items():
            expected[account] += amount
    for wipe in history.wipes:
        for account, amount in wipe.get("lost", {}).items():
            expected[wipe["node"], account] -= amount
    final = history.run.get("balances")     # {node: {account: balance}}, when nothing was on its way
    if final is None:
        finding.doubt("the balances were not read in the end")
        return finding
    found = {(int(node), account): balance for node, accounts in final.items() for account, balance in accounts.items()}
    missing = {account: found.get(account, 0) - expected[account] for account in {*found, *expected}}
    missing = {account: amount for account, amount in missing.items() if amount}
    total = sum(missing.values())
    finding.notes.append(f"{sum(found.values())} in {len(found)} accounts, {len(maybes)} changes of unknown outcome")
    if len(maybes) > MAYBE_MAX:
        finding.doubt(f"{len(maybes)} changes of unknown outcome are too many to explain balances")
    else:
        finding.check(not missing or explain(missing, maybes),
                      f"{total} out of nothing; too much, or too little, by account: {missing}")
    finding.looked += len(found)
    return finding


# --- snapshots ---

def money_at(history, begin, end):
    """All money that there was from `begin` to `end`; None when it changed meanwhile, or nobody knows."""
    total = 0
    for op in history.ops:
        if op.f != "bank_deposit" or op.failed or op.call > end:
            continue
        if op.ret > begin:
            return None
        total += op.args["amount"]
    for start, over in pair(history.wipes, lambda line: line["node"]):
        if start["t"] > end:
            continue
        if not over or over["t"] > begin:
            return None
        total -= sum(start.get("lost", {}).values())
    return total


def check_snapshots(history):
    """Complete snapshots have all the money, on accounts or on its way; what a snapshot says never changes."""
    finding, takes, first = Finding("snapshots"), {}, {}
    for op in history.completed("snapshot_take"):
        name = tuple(op.result[part] for part in ("initiator", "incarnation", "counter"))
        finding.check(name not in takes, lambda op=op: f"an id is used again: {op}")
        takes[name] = op
    for op in history.completed("snapshot_get"):
        name, row = tuple(op.args.values()), op.result
        finding.check(first.setdefault(name, row)["sha256"] == row["sha256"], lambda op=op: f"it has changed: {op}")
        take = takes.get(name)
        if not take or not row["complete"]:
            continue
        finding.check(row["counts_agree"], lambda op=op: f"messages that were sent, and not recorded: {op}")
        money = money_at(history, take.call, take.ret)
        if money is not None:
            finding.check(row["money"] == money, lambda op=op, money=money: f"there was {money}: {op}")
    complete = sum(row["complete"] for row in first.values())
    finding.notes.append(f"{complete} complete of {len(first)} that were read")
    return finding


# --- the feed ---

def check_terms(history):
    """One coordinator a term, ever; terms and applied indexes of a life never fall (in the order of its own
    numbers)."""
    finding, who, lives = Finding("one coordinator a term"), collections.defaultdict(set), collections.defaultdict(list)
    for line in history.feed:
        if line.get("role") == "coordinator" or line.get("event") == "elected":
            who[line["term"]].add(line["node"])
        lives[line["node"], line["incarnation"]].append((line["seq"], line["term"], line.get("applied")))
    for term, nodes in sorted(who.items()):
        finding.check(len(nodes) == 1, f"term {term} had the coordinators {sorted(nodes)}")
    for (node, _), lines in lives.items():
        lines.sort(key=lambda line: line[0])
        terms = [term for _, term, _ in lines]
        applied = [index for _, _, index in lines if index is not None]
        finding.check(terms == sorted(terms), f"node {node}: the term of one life falls")
        finding.check(applied == sorted(applied), f"node {node}: the applied index of one life falls")
    if not who:
        finding.doubt("the feed named no coordinator")
    return finding


def check_applied(history, limit=APPLIED_SECONDS):
    """Every node says itself, within the limit after the end of the trouble, that it has applied everything."""
    finding, healed = Finding("applied everywhere"), history.marks.get("healed")
    if not healed:
        finding.doubt("the run did not get to its end")
        return finding
    end = history.marks.get("level", float("inf"))
    lines = [line for line in history.feed if line.get("applied") is not None and healed <= line["t"] <= end]
    if not lines:
        finding.doubt("no heartbeat was heard after the end of the trouble")
        return finding
    most = max(line["applied"] for line in lines)
    for node in range(1, history.run["nodes"] + 1):
        own = [line for line in lines if line["node"] == node]
        reached = next((line["t"] for line in own if line["applied"] == most), None)
        last = own[-1]["applied"] if own else "nothing"
        finding.check(reached is not None, f"node {node} has applied {last}, others {most}")
        if reached is not None:
            seconds = (reached - healed) / 1e9
            finding.check(seconds <= limit, f"node {node} took {seconds:.1f} s to apply everything; {limit} are allowed")
            finding.notes.append(f"node {node}: {seconds:.1f} s")
    return finding


def check_minorities(history):
    """When all was healed, any minority could stop, and a submit was answered."""
    finding, told = Finding("a minority may stop"), history.run.get("minorities")
    if not told:
        finding.doubt("no minority was stopped in the end")
    for row in told or []:
        finding.check(row["answered"], f"nodes {row['nodes']} are stopped, and a submit is not answered")
    return finding


def check_bounds(history):
    """What nodes take has a bound."""
    return samples.check_trends(history, Finding("bounds"))


ALL = (check_digits, check_keys, check_final_jobs, check_snaps, check_adds_up, check_money, check_snapshots, check_terms,
       check_applied, check_minorities, check_bounds)

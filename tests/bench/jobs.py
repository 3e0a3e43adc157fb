"""make bench-jobs: jobs on numbers on one cluster with keys, beside GMP in one process, in turn.

  jobs.py [--jobs product:1000000 batch-gcd:50000 ...] [--rounds 3] [--nodes 6] [--slots N] [--gmp PROGRAM] [--dir DIR]
          [--memory-limit SIZE] [--max-result SIZE] [--no-gmp] [--json]

The inputs are uploaded first, once, and how long that takes is said. Then each round has GMP's run and the cluster's: of a
product from the submit until its value is known (no text, as GMP), of a batch-gcd from the submit until its rows are there.
After the last round all rows are compared with those that were planted, and digits of a product with the product modulo a
prime. Says besides what is held in memory and written to disks. What is to be read is the ratios: medians, and of each round.

Exit status 1 when something is found that was not planted, or is not found.
"""
import argparse
import json
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid

from bench import harness
from compare import busy_s
from large import written

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "chaos"))

from clients import Conversation  # noqa: E402

PRIME = (1 << 61) - 1
DIGITS = 1 << 16        # digits at a time, modulo the prime
CLOCK_S = 1e-6          # one step of the reference's clock: what takes less is told as that much
LOOK_MS = 20            # a look at how far the job is waits so long for its end
INPUTS = {"product": ("integers", []), "batch-gcd": ("moduli", ["--base", 16])}


def gmp(options, what, n):
    """What the program prints."""
    return subprocess.run([options.gmp, what, str(n)], check=True, capture_output=True, text=True).stdout


def conclave(cluster, *words):
    """stdout of a command that has all the time that it needs."""
    done = subprocess.run([str(harness.BIN / "conclave"), *map(str, words)], env=cluster.environment(), capture_output=True,
                          text=True, check=False)
    if done.returncode:
        raise SystemExit(f"conclave {words}: {done.stderr}")
    return done.stdout


class Job:
    """A kind of job and how large it is; its integers, if it has some, are a value that the cluster has."""

    def __init__(self, cluster, options, name):
        self.kind, size = name.split(":")
        self.cluster, self.options, self.name, self.n = cluster, options, name, int(size)
        self.value, self.upload, self.runs, self.references = None, 0, [], []
        if self.kind in INPUTS:
            self.put(*INPUTS[self.kind], size)

    def put(self, what, more, size):
        self.path = self.cluster.dir / f"{what}{size}"
        self.path.write_text(gmp(self.options, what, size), encoding="ascii")
        began = time.monotonic()
        self.value = json.loads(conclave(self.cluster, "value", "put", "--json", "--format", "integers", *more, self.path))
        self.upload = time.monotonic() - began

    def spec(self):
        if not self.value:
            return str(self.n)
        numbers = [self.value[name] for name in ("segments", "items", "bytes")]
        return " ".join(map(str, numbers + [0] * 3 * (self.kind == "batch-gcd")))

    def run(self, last):
        """Seconds from the submit until the result is known: the value, or the rows of a batch-gcd."""
        pids = [process.pid for process in self.cluster.nodes.values()]
        talk, known, busy, began = Conversation(self.cluster), None, busy_s(pids), time.monotonic()
        # Not by starting commands: fifty a second would take half a processor.
        inputs = {"inputs": [{"value": harness.job_number(self.value["id"])}]} if self.value else {}
        answer = talk.ask(type="submit", key=str(uuid.uuid4()), kind=self.kind, spec=self.spec(), **inputs)
        if "jobs" not in answer:
            raise SystemExit(f"{self.name}: {answer['reason']}")
        number = answer["jobs"][0]["job"]
        job = f"{number >> 40}-{number & (1 << 40) - 1}"
        while True:
            row = talk.ask(type="job_get", job=number, wait_ms=LOOK_MS)["jobs"][0]
            if not known and row["done"] == row["total"]:
                known = time.monotonic() - began
                if self.kind != "batch-gcd" and not last:
                    conclave(self.cluster, "job", "cancel", job)  # its text is another measurement
                    break
            if row["state"] not in ("queued", "running"):
                break
        self.busy = busy_s(pids) - busy
        whole = time.monotonic() - began
        talk.close()
        shown = conclave(self.cluster, "job", "show", job, "--timing", *(["--ops"] if self.options.ops else []))
        return whole if self.kind == "batch-gcd" else known, job, shown

    def is_right(self, job):
        result = self.cluster.dir / "result"
        conclave(self.cluster, "job", "result", job, "--output", result)
        if self.kind == "batch-gcd":
            return result.read_text().strip() == gmp(self.options, "rows", self.n).strip()
        wanted, found = 1, 0
        for factor in map(int, self.path.read_text().split()) if self.value else range(2, self.n + 1):
            wanted = wanted * factor % PRIME
        text = result.read_text().strip().split("=")[-1]
        for at in range(0, len(text), DIGITS // 64):
            part = text[at:at + DIGITS // 64]
            found = (found * pow(10, len(part), PRIME) + int(part)) % PRIME
        return wanted == found

    def measure(self, last):
        if not self.options.no_gmp:
            self.references.append(max(CLOCK_S, float(gmp(self.options, self.kind, self.n))))
        seconds, job, shown = self.run(last)
        self.runs.append(seconds)
        right = not last or self.is_right(job)
        against = f", {seconds / self.references[-1]:.2f} of GMP's {self.references[-1]:.2f} s" if self.references else ""
        against += f", {self.busy:.2f} s of processors"
        print(f"{self.name}: {seconds:.2f} s{against}{'' if right else ', and the result is WRONG'}", file=sys.stderr, flush=True)
        if self.options.show:
            print(shown, file=sys.stderr, flush=True)
        return right

    def summary(self):
        base = statistics.median(self.references) if self.references else None
        median = statistics.median(self.runs)
        return {"job": self.name, "upload_s": round(self.upload, 3), "cluster_s": round(median, 3),
                "gmp_s": base and round(base, 3), "ratio": base and round(median / base, 3),
                "rounds": [round(run, 3) for run in self.runs], "gmp_rounds": [round(run, 3) for run in self.references]}


def peaks(cluster):
    return {node: harness.memory(process, "VmHWM") >> 20 for node, process in cluster.nodes.items()}


def main():
    harness.end_by_exit()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", nargs="+", default=["product:1000000", "batch-gcd:50000", "batch-gcd:100000"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--nodes", type=int, default=6)
    parser.add_argument("--slots", type=int, help="of each node; default: the node's own")
    parser.add_argument("--memory-limit", help="of each node; default: the node's own")
    parser.add_argument("--max-result", help="1,000,000 moduli need 512M; default: the node's own")
    parser.add_argument("--no-gmp", action="store_true", help="the cluster alone")
    parser.add_argument("--show", action="store_true", help="job show --timing after each run")
    parser.add_argument("--ops", action="store_true", help="with all operations")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--gmp", required=True, help="the program gmp_numbers")
    parser.add_argument("--dir", default=".", help="a directory on the disk that is measured")
    options = parser.parse_args()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="jobs.", dir=options.dir)).resolve()
    more = {name: value for name in ("slots", "memory_limit", "max_result") if (value := getattr(options, name)) is not None}
    cluster = harness.Cluster(directory / "cluster", nodes=options.nodes, log_level="warn", **more)
    right, rows = True, []
    try:
        cluster.start().wait_healthy(30)
        pids = [process.pid for process in cluster.nodes.values()]
        for name in options.jobs:
            before, job = written(pids), Job(cluster, options, name)
            for process in cluster.nodes.values():
                harness.forget_peak(process)
            for number in range(options.rounds):
                right = job.measure(number + 1 == options.rounds) and right
            rows.append(job.summary() | {"peak_mib": peaks(cluster), "written_mib": (written(pids) - before) >> 20})
    finally:
        cluster.close()
        shutil.rmtree(directory, ignore_errors=True)
    for row in rows:
        print(json.dumps(row) if options.json else
              f"{row['job']:<18} upload {row['upload_s']:.2f} s, median {row['cluster_s']:.2f} s" +
              (f", {row['ratio']:.2f} of GMP's {row['gmp_s']:.2f} s" if row["ratio"] else "") +
              f", memory at most {max(row['peak_mib'].values())} MiB a node, {row['written_mib']} MiB written")
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""How many seeds the simulator needs to catch a planted bug, from several starts.

One start says little: the number of seeds until a bug is caught is a geometric random number, as
often below a quarter of its mean as above one and a half of it. This runs each mutant from several
starts and prints each count and their median. With two simulators it prints both, and whether the
second needs more than three times as many (by the median), or is known to need no more: the ratio
of two means, with its 90 % interval.

    make MUTANTS=1 build/mutants/sim/sim
    tests/tools/mutant-seeds.py leads_without_acks level_while_alive
    tests/tools/mutant-seeds.py --sim BEFORE/build/mutants/sim/sim --sim build/mutants/sim/sim
"""
import argparse
import math
import os
import re
import statistics
import subprocess
import sys

TIMES_MOST = 3
FAILED = re.compile(r"^FAIL  seed (\d+): (.*)$", re.MULTILINE)
# Without a bank, as most mutants are looked for, a long run lacks snapshots and kinds of faults.
OTHERWISE = re.compile(r"^FAIL  (no snapshot|\d+ kinds)", re.MULTILINE)
NAMED = re.compile(r"^    X\((\w+),", re.MULTILINE)


def names_of(top):
    """The simulator's mutants, in the order of mutant.h."""
    with open(os.path.join(top, "shared/base/mutant.h"), encoding="utf-8") as file:
        table = file.read().split("#define MUTANTS(X)")[1].split("#define PROCESS_MUTANTS(X)")[0]
    return NAMED.findall(table)


def seeds_until_caught(sim, mutant, first, most):
    """(seeds, check); check None: it survived so many."""
    command = [sim, "--mutant", mutant, "--seeds", str(most), "--from", str(first), "--jobs", "1"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    failed = FAILED.search(ended.stdout)
    if failed:
        return int(failed[1]) - first + 1, failed[2].split(": ")[0]
    if ended.returncode and not OTHERWISE.search(ended.stdout):
        sys.exit(f"{' '.join(command)}: {ended.stderr or ended.stdout}")
    return most, None


def ratio_interval(before, after):
    """The ratio of the means, and its 90 % interval: logarithms of means of n exponential numbers
    have a variance of about 1/n."""
    ratio = statistics.mean(after) / statistics.mean(before)
    spread = math.exp(1.645 * math.sqrt(1 / len(before) + 1 / len(after)))
    return ratio, ratio / spread, ratio * spread


def measure(sim, mutant, options):
    counts, checks = [], []
    for start in range(options.starts):
        first = 1 + start * options.gap
        count, check = seeds_until_caught(sim, mutant, first, options.most)
        counts.append(count)
        checks.append(check)
    return counts, checks


def text_of(counts, checks):
    each = " ".join(str(n) if check else f">{n}" for n, check in zip(counts, checks))
    return f"{statistics.median(counts):g} ({each})"


def parse(top):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--sim", action="append", metavar="PATH",
                        help="a simulator of a build with MUTANTS=1; twice: before and after")
    parser.add_argument("--starts", type=int, default=5, metavar="N")
    parser.add_argument("--gap", type=int, default=10000, metavar="SEEDS",
                        help="between two starts: 1, 10001, ...")
    parser.add_argument("--most", type=int, default=10000, metavar="SEEDS",
                        help="from one start")
    parser.add_argument("mutants", nargs="*", help="all of mutant.h without any")
    options = parser.parse_args()
    known = names_of(top)
    for name in options.mutants:
        if name not in known:
            parser.error(f"no mutant {name} in shared/base/mutant.h")
    options.mutants = options.mutants or known
    options.sim = options.sim or [os.path.join(top, "build/mutants/sim/sim")]
    return options


def main():
    options = parse(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
    slower = 0
    for mutant in options.mutants:
        measured = [measure(sim, mutant, options) for sim in options.sim]
        line = f"{mutant}: " + " -> ".join(text_of(*one) for one in measured)
        if len(measured) == 2:
            before, after = measured[0][0], measured[1][0]
            ratio, low, high = ratio_interval(before, after)
            slow = statistics.median(after) > TIMES_MOST * statistics.median(before)
            slower += slow
            line += f"; means x{ratio:.2g} ({low:.2g} to {high:.2g})" + ("  SLOWER" if slow else "")
        print(line + f"; {measured[-1][1][0] or 'survived'}", flush=True)
    return 1 if slower else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/python3
"""Commands a second of a node's executor of commands, beside xargs on the same machine, in turn.

  commands.py --bench PROGRAM [--n 10000] [--slots 2] [--runs 5] [COMMAND...]

COMMAND is /bin/true unless it is given. Prints each pair, the medians and their ratio.
"""
import argparse
import statistics
import subprocess
import tempfile
import time


def xargs(slots, n, command):
    start = time.monotonic()
    subprocess.run(["xargs", "-P", str(slots), "-n", "1", *command], input="\n".join(map(str, range(n))), text=True,
                   stdout=subprocess.DEVNULL, check=True)
    return n / (time.monotonic() - start)


def ours(bench, slots, n, command):
    with tempfile.TemporaryDirectory(prefix="conclave-bench-") as directory:
        out = subprocess.run([bench, directory, str(slots), str(n), *command], capture_output=True, text=True, check=True)
    return float(out.stdout.split()[0])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bench", required=True)
    parser.add_argument("--n", type=int, default=10000)
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("command", nargs="*", default=["/bin/true"])
    args = parser.parse_args()
    command, pairs = args.command or ["/bin/true"], []
    for _ in range(args.runs):
        pairs.append((ours(args.bench, args.slots, args.n, command), xargs(args.slots, args.n, command)))
        print(f"{args.n} x {command[0]}: {pairs[-1][0]:.0f}/s, xargs -P{args.slots} {pairs[-1][1]:.0f}/s", flush=True)
    mine, theirs = (statistics.median(pair[side] for pair in pairs) for side in (0, 1))
    print(f"medians of {args.runs}: {mine:.0f}/s, xargs {theirs:.0f}/s; ratio {mine / theirs:.2f}")


if __name__ == "__main__":
    main()

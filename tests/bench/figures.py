"""One file with all figures of `make bench JSON=FILE`: each measurement puts its own section in, whoever ran before it.

A section has what was measured raw, by rounds: medians and ratios are made from it when they are shown.
"""
import json
import os
import pathlib
import platform
import time


def machine():
    model = next((line.split(":")[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="ascii").splitlines()
                  if line.startswith("model name")), platform.machine())
    return {"processors": os.cpu_count(), "model": model, "kernel": platform.release()}


def add_option(parser):
    parser.add_argument("--json", metavar="FILE", help="the figures go there, beside those of other measurements")


def put(path, section, figures):
    """Nothing happens without a path."""
    if not path:
        return
    file = pathlib.Path(path)
    whole = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {"machine": machine()}
    whole[section] = figures | {"when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "load_after": os.getloadavg()[0]}
    fresh = file.with_name(file.name + ".new")
    fresh.write_text(json.dumps(whole, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    fresh.replace(file)


def options_of(options):
    """What a measurement was told, without where it was done."""
    return {name: value for name, value in vars(options).items() if isinstance(value, (int, list, str))
            and not isinstance(value, bool) and "/" not in str(value)}

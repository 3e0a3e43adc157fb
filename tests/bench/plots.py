"""make bench-plots JSON=FILE: SVG of the figures in that file, by gnuplot.

  plots.py FILE DIR

small-jobs.svg   jobs/s beside gearmand, and round trips/s of a bare ROUTER: medians, and a line from the least to the most
numbers.svg      seconds until a value is known, beside GMP and FLINT
failover.svg     seconds until a write is answered after a fault, beside etcd: each fault is a point
Those whose figures are not in the file are left out.
"""
import json
import pathlib
import statistics
import subprocess
import sys

HEAD = """set terminal svg size 760,{height} font "sans-serif,13" background "white"
set output {output}
set title {title}
set border 3
set tics nomirror out
set grid y
"""
SMALL = (("conclave", "Conclave\ndurable, keys"), ("gearmand", "gearmand\nin memory"), ("router_keys", "one ROUTER\nkeys"),
         ("router", "one ROUTER\nno keys"))
NUMBERS = (("conclave", "Conclave"), ("gmp", "GMP, one process"), ("flint", "FLINT, one process"))
SYSTEMS = ("conclave", "etcd", "etcd, 50 ms and 500 ms")
KINDS = (("kill", "kill -9"), ("stop", "SIGSTOP"), ("cut", "cut off"))
COLORS = ("#4477aa", "#ee6677", "#ccbb44")
STEP = 0.27  # between the three of a group


def quoted(text):
    return json.dumps(str(text))  # as gnuplot takes it


def data(name, rows):
    lines = "\n".join(" ".join(quoted(cell) if isinstance(cell, str) else f"{cell:.6g}" for cell in row) for row in rows)
    return f"${name} << EOD\n{lines}\nEOD\n"


def tics(labels):
    return "set xtics (" + ", ".join(f"{quoted(label)} {at}" for at, label in enumerate(labels)) + ")\n"


def grouped(plots, style):
    """Three plots side by side at each label: (name of the data, title)."""
    return "plot " + ", \\\n     ".join(
        f"${name} using ($1+{STEP * (at - 1)}){style} lc rgb {quoted(COLORS[at])} title {quoted(title)}"
        for at, (name, title) in enumerate(plots)) + "\n"


def draw(path, title, commands, height=380):
    text = HEAD.format(height=height, output=quoted(path), title=quoted(title)) + commands
    subprocess.run(["gnuplot", "-"], input=text, text=True, check=True)
    print(path)


def summary(values):
    return statistics.median(values), min(values), max(values)


def small_jobs(path, others):
    rows = [(at, *summary([one["small"][name] for one in others["rounds"]])) for at, (name, _) in enumerate(SMALL)]
    draw(path, "Small jobs through four clients: a second (logarithmic)",
         data("rows", rows) + tics([label for _, label in SMALL]) + f"""set logscale y
set yrange [100:*]
set bmargin 4
set boxwidth 0.5
set style fill solid 0.6
unset key
plot $rows using 1:2 with boxes lc rgb "{COLORS[0]}", \\
     $rows using 1:2:3:4 with yerrorbars pt 0 lc rgb "black", \\
     $rows using 1:($4*1.4):(sprintf("%.0f", $2)) with labels
""")


def numbers(path, others):
    jobs = list(others["rounds"][0]["numbers"])
    rows = "".join(data(name, [(at, *summary([one["numbers"][job][name] for one in others["rounds"]]))
                               for at, job in enumerate(jobs)]) for name, _ in NUMBERS)
    draw(path, "Seconds until the value is known",
         rows + tics([job.replace(":", " ") for job in jobs]) + f"set xrange [-0.6:{len(jobs) - 0.4}]\n"
         "set yrange [0:*]\nset style fill solid 0.6\n"
         "set key outside bottom center horizontal maxrows 1\n" + grouped(NUMBERS, ":2:3:4:(0.24) with boxerrorbars"))


def failover(path, measured):
    found = {(one["kind"], one["system"]): one["seconds"] for one in measured["rounds"] if one["seconds"]}
    kinds = [(kind, label) for kind, label in KINDS if (kind, SYSTEMS[0]) in found]
    plots = [(f"system{at}", system) for at, system in enumerate(SYSTEMS)]
    rows = "".join(data(name, [(at, seconds) for at, (kind, _) in enumerate(kinds) for seconds in found[kind, system]])
                   for name, system in plots)
    draw(path, "The leader's end until a write is answered, seconds (logarithmic)",
         rows + tics([label for _, label in kinds]) + f"set xrange [-0.6:{len(kinds) - 0.4}]\n"
         "set logscale y\nset jitter spread 0.3\n"
         "set key outside bottom center horizontal maxrows 1\n" + grouped(plots, ":2 with points pt 7 ps 0.6"))


def main():
    if len(sys.argv) != 3:
        raise SystemExit("usage: plots.py FILE DIR")
    whole, directory = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8")), pathlib.Path(sys.argv[2])
    directory.mkdir(parents=True, exist_ok=True)
    for name, section, make in (("small-jobs", "others", small_jobs), ("numbers", "others", numbers),
                                ("failover", "failover", failover)):
        if section in whole:
            make(directory / f"{name}.svg", whole[section])


if __name__ == "__main__":
    main()

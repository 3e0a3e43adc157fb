"""make bench-plots JSON=FILE: SVG of the figures in that file, by gnuplot.

  plots.py FILE DIR

small-jobs.svg   jobs/s beside gearmand, and round trips/s of a bare ROUTER: medians, and a line from the least to the most
numbers.svg      seconds until a value is known, beside GMP and FLINT
failover.svg     seconds until a write is answered after a fault, beside etcd: each fault is a point
width.svg        by the number of nodes: jobs a second, and what an idle node costs
remembered.svg   jobs a second by the number of finished jobs that are remembered: each round is a point
factorials.svg   seconds until a factorial's value and its text are known, beside GMP
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


def width(path, measured):
    rows = [(row["nodes"], row["jobs"], row["idle_percent"]) for row in measured["rows"]]
    draw(path, "More nodes on two processors",
         data("rows", rows) + "set xtics (" + ", ".join(str(row[0]) for row in rows) + ")\n"
         """set xlabel "nodes"
set ylabel "jobs of 10! a second"
set y2label "an idle node, % of a core"
set y2tics nomirror out
set yrange [0:*]
set y2range [0:*]
set key outside bottom center horizontal maxrows 1
""" + f"""plot $rows using 1:2 with linespoints pt 7 lw 2 lc rgb "{COLORS[0]}" title "jobs a second", \\
     $rows using 1:3 axes x1y2 with linespoints pt 7 lw 2 lc rgb "{COLORS[1]}" title "an idle node"
""")


def remembered(path, measured):
    rows = [(row["remembered"], *summary(row["jobs"])) for row in measured["remembered"]]
    points = [(row["remembered"], rate) for row in measured["remembered"] for rate in row["jobs"]]
    draw(path, "Jobs of 10! a second as finished jobs pile up (logarithmic)",
         data("rows", rows) + data("points", points) + f"""set logscale x
set yrange [0:*]
set xlabel "finished jobs that are remembered"
unset key
plot $rows using 1:2 with lines lw 2 lc rgb "{COLORS[0]}", $points using 1:2 with points pt 7 ps 0.6 lc rgb "{COLORS[0]}"
""")


def factorials(path, measured):
    lines = (("value_s", "value", 0, 1), ("text_s", "text", 0, 2), ("gmp_value_s", "value, GMP in one process", 1, 1),
             ("gmp_text_s", "text, GMP in one process", 1, 2))
    rows = "".join(data(name, [(row["n"], statistics.median(row[name])) for row in measured["factorials"]])
                   for name, _, _, _ in lines)
    draw(path, "Seconds until n! is known (logarithmic)",
         rows + 'set logscale xy\nset xlabel "n"\nset key top left\n' + "plot " + ", \\\n     ".join(
             f'${name} using 1:2 with linespoints pt 7 lw 2 dt {dash} lc rgb "{COLORS[color]}" title {quoted(title)}'
             for name, title, color, dash in lines) + "\n")


def main():
    if len(sys.argv) != 3:
        raise SystemExit("usage: plots.py FILE DIR")
    whole, directory = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8")), pathlib.Path(sys.argv[2])
    directory.mkdir(parents=True, exist_ok=True)
    for name, section, make in (("small-jobs", "others", small_jobs), ("numbers", "others", numbers),
                                ("failover", "failover", failover), ("width", "width", width),
                                ("remembered", "growth", remembered), ("factorials", "growth", factorials)):
        if section in whole and (section != "growth" or name in whole[section]):
            make(directory / f"{name}.svg", whole[section])


if __name__ == "__main__":
    main()

"""A run as a picture: terms and who led them, faults, answers a second, gaps in service. SVG, written by hand.

One file that any browser shows, light or dark as the reader has it; each mark tells its numbers when it is pointed at.
"""
from xml.sax.saxutils import escape

from history import pair
from verdict import Terms, served

WIDTH, LEFT, RIGHT = 1200, 150, 20
LANE, PAD, PLOT = 18, 26, 110       # heights: of a lane, between parts, of the throughput
TICKS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)
TICKS_MOST = 12
BINS_MAX = 240                      # bars of the throughput: each as long as a whole number of seconds, or a part of one
STYLE = """
  svg { --ink: #1c2430; --soft: #667085; --line: #d8dde5; --page: #ffffff; --rate: #4b7bb5; --gap: #d64545; --fault: #c98a1b;
        --a: #7fa8d8; --b: #a9cfa4; background: var(--page); font: 12px system-ui, sans-serif; }
  @media (prefers-color-scheme: dark) {
    svg { --ink: #e6e9ee; --soft: #9aa4b2; --line: #343c48; --page: #14181e; --rate: #6fa3e0; --gap: #ff6b6b; --fault: #e0a83f;
          --a: #38618f; --b: #3f6f4a; }
  }
  text { fill: var(--ink); } .soft { fill: var(--soft); } .title { font-weight: 600; } .end { text-anchor: end; }
  .middle { text-anchor: middle; } .line { stroke: var(--line); } .rate { fill: var(--rate); } .fault { fill: var(--fault); }
  .hit { stroke: var(--ink); stroke-width: 1.5; }
  .gap { fill: var(--gap); } .shade { fill: var(--gap); opacity: 0.13; } .t0 { fill: var(--a); } .t1 { fill: var(--b); }
"""


class Picture:
    def __init__(self, begin, end):
        self.begin, self.end, self.parts, self.y = begin, max(end, begin + 1), [], PAD

    def x(self, t):
        part = (min(max(t, self.begin), self.end) - self.begin) / (self.end - self.begin)
        return LEFT + part * (WIDTH - LEFT - RIGHT)

    def seconds(self, t):
        return (t - self.begin) / 1e9

    def add(self, text):
        self.parts.append(text)

    def text(self, x, y, text, style=""):
        self.add(f'<text x="{x:.1f}" y="{y:.1f}" class="{style}">{escape(str(text))}</text>')

    def box(self, begin, end, y, height, style, title, least=1.5):
        x = self.x(begin)
        width = max(self.x(end) - x, least)
        self.add(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" class="{style}">'
                 f'<title>{escape(title)}</title></rect>')
        return x, width

    def head(self, text):
        self.text(10, self.y + 12, text, "title")
        self.y += LANE


def draw_terms(picture, history):
    picture.head("terms")
    terms = Terms(history.feed)
    for i, term in enumerate(terms.order):
        begin, node = terms.first[term]
        end = terms.first[terms.order[i + 1]][0] if i + 1 < len(terms.order) else picture.end
        x, width = picture.box(begin, end, picture.y, LANE - 2, f"t{i % 2}",
                               f"term {term}: node {node}, from {picture.seconds(begin):.2f} s")
        if width > 34:
            picture.text(x + width / 2, picture.y + 12, f"{term}: {node}", "middle")
    picture.text(LEFT - 8, picture.y + 12, "term: coordinator", "soft end")
    picture.y += LANE + PAD


def draw_faults(picture, faults):
    picture.head("faults")
    for kind in sorted({begin["f"] for begin, _ in faults}):
        mine = [(begin, end) for begin, end in faults if begin["f"] == kind]
        picture.text(LEFT - 8, picture.y + 12, f"{kind} ({len(mine)})", "end")
        picture.add(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{picture.y + LANE - 1}" y2="{picture.y + LANE - 1}" '
                    'class="line"/>')
        for begin, end in mine:
            last = end["t"] if end else picture.end
            where = ", ".join(map(str, begin.get("nodes", []))) or "-"
            picture.box(begin["t"], last, picture.y + 3, LANE - 7, "fault hit" if begin.get("coordinator") else "fault",
                        f"{kind}, nodes {where}: {picture.seconds(begin['t']):.2f} s, for {(last - begin['t']) / 1e9:.2f} s"
                        + (", hit the coordinator" if begin.get("coordinator") else ""), 2.5)
        picture.y += LANE
    picture.y += PAD


def draw_rate(picture, history, gaps):
    """Answers to writes in each bar's time; gaps as red bars below, and shades through the plot."""
    lasted = picture.seconds(picture.end)
    wide = next((t for t in (0.5, *TICKS) if lasted / t <= BINS_MAX), TICKS[-1])
    counts = [0] * (int(lasted / wide) + 1)
    for ret, _ in served(history):
        if picture.begin <= ret <= picture.end:
            counts[int(picture.seconds(ret) / wide)] += 1
    most = max(counts) or 1
    picture.head("writes answered a second")
    top, bottom = picture.y, picture.y + PLOT
    for gap in gaps:
        picture.box(gap["at"], gap["at"] + gap["seconds"] * 1e9, top, PLOT, "shade", f"gap of {gap['seconds']} s", 1)
    for i, count in enumerate(counts):
        if count:
            begin = picture.begin + i * wide * 1e9
            height = count / most * PLOT
            picture.box(begin, begin + wide * 1e9 * 0.9, bottom - height, height, "rate",
                        f"{count / wide:.0f} a second at {i * wide:g} s", 1)
    picture.text(LEFT - 8, top + 10, f"{most / wide:.0f}", "soft end")
    picture.text(LEFT - 8, bottom, "0", "soft end")
    picture.add(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{bottom}" y2="{bottom}" class="line"/>')
    picture.y = bottom + PAD
    picture.head("gaps in service")
    for gap in gaps:
        picture.box(gap["at"], gap["at"] + gap["seconds"] * 1e9, picture.y, LANE - 6, "gap",
                    f"{gap['seconds']} s at {picture.seconds(gap['at']):.2f} s: {', '.join(gap['faults']) or 'no fault'}")
    picture.text(LEFT - 8, picture.y + 10, f"{len(gaps)}, longest {max((g['seconds'] for g in gaps), default=0):.2f} s",
                 "soft end")
    picture.y += LANE + 6


def draw_axis(picture):
    """Seconds since the load began; the lines lie under everything else."""
    lasted, lines = picture.seconds(picture.end), []
    step = next((t for t in TICKS if lasted / t <= TICKS_MOST), TICKS[-1])
    for i in range(int(lasted / step) + 1):
        x = picture.x(picture.begin + i * step * 1e9)
        lines.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{PAD + LANE}" y2="{picture.y}" class="line"/>')
        picture.text(x, picture.y + 14, f"{i * step} s", "soft middle")
    picture.parts[:0] = lines
    picture.text(LEFT, picture.y + 32, "outlined: the fault hit the coordinator; point at a mark for its numbers", "soft")
    picture.y += PAD + LANE


def svg(history, result):
    """The picture, as text."""
    moments = [op.call for op in history.ops] + [line["t"] for line in history.faults] + list(history.marks.values())
    begin = history.marks.get("load", min(moments, default=0))
    end = history.marks.get("healed", max(moments, default=begin))
    picture, run = Picture(begin, end), history.run
    picture.text(10, picture.y - 6, f"seed {run.get('seed')}, {run.get('nodes')} nodes, build {run.get('build', '?')}: "
                 f"{result['verdict']}", "title")
    picture.y += 14
    draw_terms(picture, history)
    draw_faults(picture, pair(history.faults, lambda line: line["id"]))
    draw_rate(picture, history, result["gaps"])
    draw_axis(picture)
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {picture.y}" width="{WIDTH}" '
            f'height="{picture.y}" role="img" aria-label="what happened in this run, by time">')
    return "\n".join([head, f"<style>{STYLE}</style>", *picture.parts, "</svg>", ""])

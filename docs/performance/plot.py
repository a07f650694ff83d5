#!/usr/bin/env python3
"""Makes plot.svg, and the tables of ../performance.md, from the CSV files beside this script.

With --check nothing is written; the exit code says whether both are what the data make of them.
"""

import csv
import json
import math
import sys
from collections import defaultdict
from html import escape
from pathlib import Path
from statistics import median

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "performance.md"
PLOT = HERE / "plot.svg"
MISSING = "not measured yet"
CLIENTS = ["feedmill", "floor_parse", "floor_write"]
PHASES = ["cold", "warm", "changed", "full"]


def rows(name):
    file = HERE / f"{name}.csv"
    if not file.exists():
        return []
    with file.open(newline="") as text:
        return [{key: number(value) for key, value in row.items()} for row in csv.DictReader(text)]


def number(text):
    try:
        return float(text) if "." in text else int(text)
    except ValueError:
        return text


def medians(name, keys, values):
    """The median of each value over all rows that have the same keys."""
    groups = defaultdict(list)
    for row in rows(name):
        groups[tuple(row[key] for key in keys)].append(row)
    return {key: {value: median(row[value] for row in group) for value in values} for key, group in groups.items()}


def shown(value):
    """Three digits that tell something, thousands with a comma."""
    if isinstance(value, str):
        return value
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.{2 if value < 10 else 1}f}"


# Tables


def table(head, lines):
    if not lines:
        return f"*{MISSING}*\n"
    text = "| " + " | ".join(head) + " |\n" + "|---|" + "--:|" * (len(head) - 1) + "\n"
    return text + "".join("| " + " | ".join(shown(cell) for cell in line) + " |\n" for line in lines)


def machine():
    file = HERE / "machine.json"
    if not file.exists():
        return f"*{MISSING}*\n"
    facts = json.loads(file.read_text())
    return "| | |\n|---|---|\n" + "".join(f"| {key} | {value} |\n" for key, value in facts.items())


def measured():
    return medians("rounds", ["phase", "client"], ["wall_s", "cpu_s", "peak_mib"])


def rounds():
    found = measured()
    order = [(phase, client) for phase in PHASES for client in CLIENTS if (phase, client) in found]
    lines = [[phase, client, *found[phase, client].values()] for phase, client in order]
    text = table(["poll", "client", "wall (s)", "CPU (s)", "peak memory (MiB)"], lines)
    if lines:
        data = rows("rounds")
        feeds, times = data[0]["feeds"], max(row["round"] for row in data)
        text = f"{feeds:,} feeds, {times} rounds, medians.\n\n" + text
    return text


RATIOS = [
    ("cold: CPU ÷ floor_parse", "cold", "cpu_s", "floor_parse"),
    ("cold: wall ÷ floor_write", "cold", "wall_s", "floor_write"),
    ("cold: peak memory ÷ floor_write", "cold", "peak_mib", "floor_write"),
    ("warm: CPU ÷ floor_parse", "warm", "cpu_s", "floor_parse"),
    ("warm: wall ÷ floor_parse", "warm", "wall_s", "floor_parse"),
    ("warm, full index: CPU ÷ floor_parse", "full", "cpu_s", "floor_parse"),
    ("warm, full index: wall ÷ floor_parse", "full", "wall_s", "floor_parse"),
    ("changed: CPU ÷ floor_write", "changed", "cpu_s", "floor_write"),
]


def ratios():
    found = measured()
    lines = [
        [name, found[phase, "feedmill"][value] / found[phase, floor][value]]
        for name, phase, value, floor in RATIOS
        if (phase, "feedmill") in found and (phase, floor) in found
    ]
    return table(["ratio of medians", ""], lines)


def sizes():
    found = medians("sizes", ["feeds", "client", "phase"], ["wall_s", "cpu_s", "peak_mib"])
    lines = []
    for (feeds, client, phase), cost in sorted(found.items()):
        if client == "feedmill" or phase == "cold":
            each = [1000 * cost[value] / feeds for value in ("wall_s", "cpu_s")]
            lines.append([f"{feeds:,}", client, phase, *each, cost["peak_mib"]])
    return table(["feeds", "client", "poll", "wall (ms a feed)", "CPU (ms a feed)", "peak memory (MiB)"], lines)


def index():
    head = ["records", "open (ms)", "known looked up (a second)", "unknown looked up (a second)", "peak memory (MiB)", "on disk (MiB)"]
    values = ["open_ms", "known_per_s", "unknown_per_s", "read_peak_mib", "disk_mib"]
    found = medians("index", ["records"], values)
    return table(head, [[f"{key[0]:,}", *cells.values()] for key, cells in sorted(found.items())])


def topics():
    head = ["posts", "new rule (s)", "CPU (s)", "peak memory (MiB)", "reindex (s)", "peak memory (MiB)"]
    values = ["publish_s", "publish_cpu_s", "publish_peak_mib", "reindex_s", "reindex_peak_mib"]
    found = medians("topics", ["posts"], values)
    return table(head, [[f"{key[0]:,}", *cells.values()] for key, cells in sorted(found.items())])


def latency():
    found = medians("latency", ["latency_ms", "feeds", "phase"], ["wall_s", "least_s"])
    lines = [
        [f"{wait} ms", f"{feeds:,}", phase, cells["wall_s"], cells["least_s"], cells["wall_s"] / cells["least_s"]]
        for (wait, feeds, phase), cells in sorted(found.items())
    ]
    return table(["answers after", "feeds", "poll", "wall (s)", "least possible (s)", "ratio"], lines)


def clone():
    found = medians("clone", ["posts"], ["first_request_s", "all_s"])
    lines = [[f"{key[0]:,}", *cells.values()] for key, cells in sorted(found.items())]
    return table(["posts", "until the first request (s)", "until the end (s)"], lines)


def serving():
    found = medians("serving", ["kind", "server"], ["answers_per_s", "p99_ms", "cpu_us_per_answer"])
    lines = [[kind, server, *cells.values()] for (kind, server), cells in sorted(found.items(), key=lambda item: tuple(map(str, item[0])))]
    return table(["answer", "server", "answers a second", "99th percentile (ms)", "CPU (µs an answer)"], lines)


TABLES = [machine, rounds, ratios, sizes, index, topics, latency, clone, serving]


def page(text):
    """The page with every table made anew between its marks."""
    for make in TABLES:
        begin, end = f"<!-- figures: {make.__name__} -->\n", "<!-- end -->"
        head, found, rest = text.partition(begin)
        if not found:
            sys.exit(f"{PAGE}: the mark `{begin.strip()}` is missing")
        _, found, tail = rest.partition(end)
        if not found:
            sys.exit(f"{PAGE}: `{end}` is missing after `{begin.strip()}`")
        text = head + begin + "\n" + make() + "\n" + end + tail
    return text


# The plot

WIDTH, HEIGHT, GAP, COLUMNS = 300, 210, 16, 3
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 40, 34
STYLE = """
text { font: 11px system-ui, sans-serif; fill: var(--ink) }
.title { font-size: 13px; font-weight: 600 }
.faint { fill: var(--faint) }
.grid { stroke: var(--grid); stroke-width: 1 }
.line { fill: none; stroke-width: 2 }
.back { fill: var(--back) }
.panel { fill: var(--panel) }
svg { --ink: #1f2328; --faint: #59636e; --grid: #d8dee4; --back: #ffffff; --panel: #f6f8fa; --a: #0969da; --b: #bc4c00; --c: #1a7f37; --d: #8250df }
@media (prefers-color-scheme: dark) {
svg { --ink: #e6edf3; --faint: #9198a1; --grid: #30363d; --back: #0d1117; --panel: #151b23; --a: #58a6ff; --b: #f0883e; --c: #56d364; --d: #bc8cff }
}
"""


def thing(name, body=None, **attributes):
    words = "".join(f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"' for key, value in attributes.items())
    return f"<{name}{words}/>" if body is None else f"<{name}{words}>{body}</{name}>"


def text(x, y, words, **attributes):
    return thing("text", escape(words), x=f"{x:.1f}", y=f"{y:.1f}", **attributes)


def short(value):
    for unit, name in ((1e6, "M"), (1e3, "k")):
        if value >= unit:
            return f"{value / unit:g}{name}"
    return f"{value:g}"


class Axis:
    """From values to places: straight from zero, or logarithmic."""

    def __init__(self, values, low, high, logarithmic):
        self.low, self.high, self.logarithmic = low, high, logarithmic
        if logarithmic:
            self.first, self.last = math.floor(math.log10(min(values)) + 1e-9), math.ceil(math.log10(max(values)) - 1e-9)
            self.last = max(self.last, self.first + 1)
            self.ticks = [10.0**power for power in range(self.first, self.last + 1)]
        else:
            top = max(values) or 1
            step = 10 ** math.floor(math.log10(top))
            step = next(step * part for part in (0.2, 0.25, 0.5, 1, 2, 2.5) if top / (step * part) <= 5)
            self.first, self.last = 0, step * math.ceil(top / step - 1e-9)
            self.ticks = [step * count for count in range(round(self.last / step) + 1)]

    def __call__(self, value):
        value = math.log10(value) if self.logarithmic else value
        return self.low + (value - self.first) / (self.last - self.first) * (self.high - self.low)


def frame(title, unit, y):
    parts = [
        thing("rect", x=0, y=0, width=WIDTH, height=HEIGHT, rx=6, class_="panel"),
        text(10, 18, title, class_="title"),
        text(10, 33, unit, class_="faint"),
    ]
    for tick in y.ticks if y else []:
        parts.append(thing("line", x1=LEFT, x2=WIDTH - RIGHT, y1=f"{y(tick):.1f}", y2=f"{y(tick):.1f}", class_="grid"))
        parts.append(text(LEFT - 5, y(tick) + 4, short(tick), text_anchor="end", class_="faint"))
    return parts


def legend(names):
    parts, x = [], LEFT
    for name, colour in names:
        parts.append(thing("rect", x=x, y=HEIGHT - 13, width=8, height=8, style=f"fill: var(--{colour})"))
        parts.append(text(x + 11, HEIGHT - 5, name))
        x += 24 + 6.2 * len(name)
    return parts


def lines_panel(title, unit, series, logarithmic=False):
    """Series by name: places and values; places are logarithmic."""
    series = {name: sorted(points) for name, points in series.items() if points}
    if not series:
        return frame(title, MISSING, None)
    places = [x for points in series.values() for x, _ in points]
    y = Axis([value for points in series.values() for _, value in points], HEIGHT - BOTTOM - 14, TOP + 4, logarithmic)
    x = Axis(places, LEFT + 6, WIDTH - RIGHT - 10, True)
    parts = frame(title, unit, y)
    for place in x.ticks:
        parts.append(text(x(place), HEIGHT - BOTTOM + 2, short(place), text_anchor="middle", class_="faint"))
    for (name, points), colour in zip(series.items(), "abcd"):
        way = " ".join(f"{x(place):.1f},{y(value):.1f}" for place, value in points)
        parts.append(thing("polyline", points=way, class_="line", style=f"stroke: var(--{colour})"))
        for place, value in points:
            dot = dict(cx=f"{x(place):.1f}", cy=f"{y(value):.1f}", r=3, style=f"fill: var(--{colour})")
            parts.append(thing("circle", thing("title", escape(f"{name}, {place:,}: {shown(value)}")), **dot))
    return parts + legend(list(zip(series, "abcd")))


def bars_panel(title, unit, groups, names):
    """Groups of bars: for each group a value by name."""
    groups = {group: values for group, values in groups.items() if values}
    if not groups:
        return frame(title, MISSING, None)
    y = Axis([value for values in groups.values() for value in values.values()], HEIGHT - BOTTOM - 14, TOP + 14, False)
    parts = frame(title, unit, y)
    room = (WIDTH - LEFT - RIGHT) / len(groups)
    colours = dict(zip(names, "abcd"))
    for at, (group, values) in enumerate(groups.items()):
        wide = min(26, room / (len(values) + 0.6))
        left = LEFT + room * (at + 0.5) - wide * len(values) / 2
        parts.append(text(LEFT + room * (at + 0.5), HEIGHT - BOTTOM + 2, group, text_anchor="middle", class_="faint"))
        for place, (name, value) in enumerate(values.items()):
            x, top = left + wide * place, y(value)
            place = dict(x=f"{x + 1:.1f}", y=f"{top:.1f}", width=f"{wide - 2:.1f}", height=f"{y(0) - top:.1f}")
            parts.append(thing("rect", **place, style=f"fill: var(--{colours[name]})"))
            parts.append(text(x + wide / 2, top - 3, short(float(f"{value:.2g}")), text_anchor="middle", style="font-size: 8px"))
    return parts + legend(list(colours.items()))


def panels():
    polls = measured()

    def phases(value):
        return {
            phase: {client: polls[phase, client][value] for client in CLIENTS if (phase, client) in polls}
            for phase in PHASES
        }

    yield bars_panel("Polls: processor time", "seconds", phases("cpu_s"), CLIENTS)
    yield bars_panel("Polls: wall time", "seconds", phases("wall_s"), CLIENTS)
    yield bars_panel("Polls: peak memory", "MiB", phases("peak_mib"), CLIENTS)

    costs = medians("sizes", ["feeds", "client", "phase"], ["cpu_s", "peak_mib"])

    def by_feeds(client, phase, value):
        found = [(feeds, cost) for (feeds, *who), cost in costs.items() if who == [client, phase]]
        return [(feeds, value(feeds, cost)) for feeds, cost in found]

    def cpu(feeds, cost):
        return 1000 * cost["cpu_s"] / feeds

    def peak(_, cost):
        return cost["peak_mib"]

    who = {"cold": ("feedmill", "cold"), "warm": ("feedmill", "warm"), "floor_write cold": ("floor_write", "cold")}
    yield lines_panel("Processor time of a feed", "ms a feed, by feeds", {name: by_feeds(*pair, cpu) for name, pair in who.items()}, True)
    yield lines_panel("Peak memory by feeds", "MiB", {name: by_feeds(*pair, peak) for name, pair in who.items()}, True)

    found = medians("index", ["records"], ["open_ms", "known_per_s", "unknown_per_s", "read_peak_mib"])
    looked = {name: [(key[0], row[value]) for key, row in found.items()] for name, value in (("known", "known_per_s"), ("unknown", "unknown_per_s"))}
    yield lines_panel("Lookups in the index", "a second, by records", looked)
    opened = {name: [(key[0], row[value]) for key, row in found.items()] for name, value in (("open (ms)", "open_ms"), ("memory (MiB)", "read_peak_mib"))}
    yield lines_panel("Opening and reading the index", "by records", opened, True)

    found = medians("topics", ["posts"], ["publish_s", "reindex_s"])
    made = {name: [(key[0], row[value]) for key, row in found.items()] for name, value in (("new rule", "publish_s"), ("reindex", "reindex_s"))}
    yield lines_panel("A topic's new rule, and reindex", "seconds, by posts", made, True)

    found = medians("latency", ["latency_ms", "phase"], ["wall_s", "least_s"])
    waits = defaultdict(dict)
    for (wait, phase), row in sorted(found.items()):
        waits[f"{wait} ms"] |= {phase: row["wall_s"], "least possible": row["least_s"]}
    names = ["cold", "warm", "least possible"]
    waits = {wait: {name: values[name] for name in names if name in values} for wait, values in waits.items()}
    yield bars_panel("Slow servers", "seconds, by time of an answer", waits, names)

    found = medians("serving", ["kind", "server"], ["answers_per_s", "cpu_us_per_answer"])
    servers = ["feedmill", "nginx"]

    def kinds(value):
        return {str(kind): {server: found[kind, server][value] for server in servers if (kind, server) in found} for kind in ("full", "gzip", 304)}

    yield bars_panel("Serving", "answers a second", kinds("answers_per_s"), servers)
    yield bars_panel("Serving: processor time", "µs an answer", kinds("cpu_us_per_answer"), servers)

    posts = medians("clone", ["posts"], ["first_request_s"])
    posts = {f"{key[0]:,} posts": {"first request": row["first_request_s"]} for key, row in sorted(posts.items())}
    yield bars_panel("A fresh clone", "seconds until", posts, ["first request"])


def plot():
    drawn = list(panels())
    lines = math.ceil(len(drawn) / COLUMNS)
    width, height = COLUMNS * (WIDTH + GAP) + GAP, lines * (HEIGHT + GAP) + GAP
    body = [thing("title", "feedmill: what was measured"), thing("style", STYLE), thing("rect", width="100%", height="100%", class_="back")]
    for at, panel in enumerate(drawn):
        x, y = GAP + at % COLUMNS * (WIDTH + GAP), GAP + at // COLUMNS * (HEIGHT + GAP)
        body.append(thing("g", "\n".join(panel), transform=f"translate({x} {y})"))
    head = dict(xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {width} {height}", width=width, height=height, role="img")
    return thing("svg", "\n".join(body), **head) + "\n"


def main():
    made = {PAGE: page(PAGE.read_text()), PLOT: plot()}
    if "--check" not in sys.argv[1:]:
        for file, words in made.items():
            file.write_text(words)
        return
    stale = [file.name for file, words in made.items() if not file.exists() or file.read_text() != words]
    if stale:
        sys.exit(f"{', '.join(stale)}: not what the data say; run docs/performance/plot.py")


if __name__ == "__main__":
    main()

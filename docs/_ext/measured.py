"""A table of figures as a picture, drawn from the table itself: the two cannot disagree.

``.. measured:: What the picture says`` draws the table right before it: bars, or with ``lines`` the
columns over the first one. Options, with semicolons between names: ``columns`` to draw, by default
all that hold numbers only; ``rows``, pieces of the names of those to draw; ``by``, columns
that belong to a row's name; ``log``, a logarithmic axis; ``label``, what the axis shows.
Rows of this package have a colour of their own, in the tables too.
"""

import re
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from docutils import nodes
from docutils.parsers.rst import Directive, directives
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, NullLocator
from sphinx.util import ensuredir

NUMBER = re.compile(r"-?[\d,]*\.?\d+")
# How the names of our rows begin; "the same" is ours where the row before it is.
OURS = re.compile(
    r"(default|ours|TaskGeometric|HammingNeighbors|LSHNeighbors|CodeStore|solver=|encoder=|head=|alpha="
    r"|structure bits|codes of all|the task inferred|(conv|fly), |flagship|sktgsh"
    r"|novelty_scores|(Conv)?WinnerTakeAll"
    r"|(DuckDB|SQLite|Postgres)Codes|random codewords$|[\d,]+ units|no features|Gaussian units)"
)
# Columns beside the first that may name what is ours.
NAMES = ("method", "hasher", "index")
COLOURS = {True: "tab:orange", False: "tab:blue"}


class Measured(Directive):
    required_arguments = 1
    final_argument_whitespace = True
    option_spec = {
        "columns": directives.unchanged,
        "rows": directives.unchanged,
        "by": directives.unchanged,
        "log": directives.flag,
        "lines": directives.flag,
        "label": directives.unchanged,
    }

    def run(self):
        environment = self.state.document.settings.env
        before = [n for n in self.state.parent.children if isinstance(n, nodes.table)]
        if not before:
            raise self.error("there is no table before it to draw")
        columns, rows = _numbers(before[-1], *map(self._list, ("columns", "rows", "by")))
        missing = set(self._list("columns")) - set(columns)
        if missing or not columns or not rows:
            raise self.error(f"the table has no such columns {missing or ''} or rows of numbers")
        folder = Path(environment.srcdir, "generated", "measured")
        ensuredir(folder)
        name = re.sub(r"\W+", "_", self.arguments[0].lower()) + ".png"
        draw = _lines if "lines" in self.options else _bars
        figure = draw(columns, rows, "log" in self.options, self.options.get("label", ""))
        figure.savefig(folder / name, dpi=110, facecolor="white")
        image = nodes.image(uri=f"/generated/measured/{name}", alt=self.arguments[0])
        caption = nodes.caption("", self.arguments[0])
        return [nodes.figure("", image, caption)]

    def _list(self, option):
        return [text.strip() for text in self.options.get(option, "").split(";") if text.strip()]


def _numbers(table, wanted, pieces, by):
    """Names of columns, and each row's name with its numbers (None where there is none)."""
    head, *rest = [
        [cell.astext().strip() for cell in row.findall(nodes.entry)]
        for row in table.findall(nodes.row)
    ]
    rest = [row for row in rest if row[0].strip("\\ ")]
    if pieces:
        rest = [row for row in rest if any(piece in row[0] for piece in pieces)]
    places = [
        place
        for place, name in enumerate(head)
        if place and (name in wanted if wanted else all(_value(row[place]) for row in rest))
    ]
    names = [0, *(head.index(name) for name in by)]
    rows = [
        (", ".join(row[n] for n in names), [_value(row[place]) for place in places]) for row in rest
    ]
    return [head[place] for place in places], [
        (name, values) for name, values in rows if any(value is not None for value in values)
    ]


def _ours(names):
    """Which rows are this package's, by their names."""
    found = []
    for name in names:
        again = name.startswith("the same") or not name.strip("\\ ")
        before = again and bool(found) and found[-1]
        found.append(before or bool(OURS.match(name)))
    return found


def _colour_rows(app, doctree):
    """Rows of this package get a class, in tables that also have others."""
    if app.env.docname not in ("measurements", "reproductions"):
        return
    for table in doctree.findall(nodes.table):
        head, *rows = list(table.findall(nodes.row))
        columns = [cell.astext() for cell in head.findall(nodes.entry)]
        place = next((columns.index(name) for name in NAMES if name in columns), 0)
        ours = _ours([list(row.findall(nodes.entry))[place].astext().strip() for row in rows])
        for row, own in zip(rows, ours):
            if own and not all(ours):
                row["classes"].append("ours")


def _join_deviations(app, doctree):
    """A deviation stays on one line with its sign."""
    if app.env.docname not in ("measurements", "reproductions"):
        return
    for text in list(doctree.findall(nodes.Text)):
        if not isinstance(text.parent, (nodes.literal, nodes.literal_block)):
            joined = re.sub(r"(\d) (\+-|±) (\d)", "\\1 ±\N{NO-BREAK SPACE}\\3", text.astext())
            text.parent.replace(text, nodes.Text(joined))


def _keep_brackets(app, doctree):
    """The name at the end of a heading is on one line with its brackets."""
    for title in doctree.findall(nodes.title):
        before, *rest = title.children[-3:]
        if [text.astext() for text in rest[1:]] == [")"] and before.astext().endswith("("):
            name = nodes.inline("", "(", rest[0].deepcopy(), nodes.Text(")"), classes=["keep"])
            title[-3:] = [nodes.Text(before.astext()[:-1]), name]


def _value(cell):
    found = NUMBER.match(cell.lstrip("*"))
    return float(found[0].replace(",", "")) if found else None


def _bars(columns, rows, log, label):
    figure = Figure(figsize=(8, 0.9 + 0.3 * len(rows)), layout="constrained")
    axes = figure.subplots(1, len(columns), sharey=True, squeeze=False)[0]
    ours = _ours([name for name, _ in rows])
    colours = [COLOURS[own and not all(ours)] for own in ours]
    for position, (ax, column) in enumerate(zip(axes, columns)):
        values = [numbers[position] for _, numbers in rows]
        places = [place for place, value in enumerate(values) if value is not None]
        own = [colours[place] for place in places]
        bars = ax.barh(places, [values[place] for place in places], color=own)
        # Shares have the digits of their table.
        shown = "{:.3f}" if max(values[place] for place in places) <= 1 else "{:,g}"
        ax.bar_label(bars, fmt=shown, padding=3, fontsize=8)
        ax.margins(x=0.2)
        ax.set_title(column, fontsize=10)
        ax.spines[["top", "right"]].set_visible(False)
        if log:
            ax.set_xscale("log")
    axes[0].set_yticks(range(len(rows)), [name for name, _ in rows], fontsize=9)
    axes[0].invert_yaxis()
    if label:
        figure.supxlabel(label, fontsize=9)
    return figure


def _lines(columns, rows, log, label):
    """The first column against the others: a line for each of these."""
    figure = Figure(figsize=(6, 3.4), layout="constrained")
    ax = figure.subplots()
    for position, column in enumerate(columns):
        points = [(_value(name), numbers[position]) for name, numbers in rows]
        ax.plot(*zip(*points), marker="o", label=column)
    ax.set_xscale("log")
    firsts = [_value(name) for name, _ in rows]
    ax.set_xticks(firsts, [f"{first:,.0f}" for first in firsts])
    ax.xaxis.set_minor_locator(NullLocator())
    if log:
        ax.set_yscale("log")
        low, high = ax.get_ylim()
        ax.yaxis.set_major_formatter("{x:g}")
        # Less than a decade has hardly a major tick.
        ax.yaxis.set_minor_formatter("{x:g}" if high < 10 * low else NullFormatter())
    ax.set_xlabel(label)
    ax.legend()
    ax.spines[["top", "right"]].set_visible(False)
    return figure


def setup(app):
    app.add_directive("measured", Measured)
    app.connect("doctree-read", _colour_rows)
    app.connect("doctree-read", _join_deviations)
    app.connect("doctree-read", _keep_brackets)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

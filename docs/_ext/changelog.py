"""``CHANGELOG.md`` as a page: its headings, lists, code and links, and nothing else of Markdown."""

import re
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList

RULES = (
    (re.compile(r"(?<!`)`([^`]+)`"), r"``\1``"),
    (re.compile(r"\[([^\]]+)\]\((https?:[^)]+)\)"), r"`\1 <\2>`__"),
)
UNDER = {"## ": "-", "### ": "~"}


class Changelog(Directive):
    """The sections of the file below its title."""

    required_arguments = 1

    def run(self):
        environment = self.state.document.settings.env
        path = Path(environment.srcdir, self.arguments[0]).resolve()
        environment.note_dependency(str(path))
        lines = []
        for line in path.read_text().splitlines()[1:]:
            for pattern, replacement in RULES:
                line = pattern.sub(replacement, line)
            mark = next((mark for mark in UNDER if line.startswith(mark)), None)
            heading = line.removeprefix(mark or "").strip("[]") if mark else line
            lines += [heading, UNDER[mark] * len(heading), ""] if mark else [line]
        parent = nodes.section()
        parent.document = self.state.document
        self.state.nested_parse(StringList(lines, str(path)), 0, parent, match_titles=True)
        return parent.children


def setup(app):
    app.add_directive("changelog", Changelog)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

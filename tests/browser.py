"""Pages of the built site in Chromium, by PyQt6-WebEngine: what is wider than the window; pictures.

``python -m tests.browser docs/_build/html --pictures folder`` looks at all pages but those that
are generated for each public name.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

WIDTHS, SCHEMES, HEIGHT, TALLEST = (1400, 420), ("light", "dark"), 900, 16000
# Milliseconds until a page has run its scripts, and until it is painted in a new size.
SETTLED, PAINTED = 1000, 700
# What scrolls by itself inside of an article may hold wider text.
MEASURE = """
(function() {
  document.documentElement.dataset.theme = document.documentElement.dataset.mode = '%s';
  const width = document.documentElement.clientWidth, wide = [];
  const scrolls = e => e && !e.matches('body, .bd-article') && (
    ['auto', 'scroll', 'hidden'].includes(getComputedStyle(e).overflowX) ||
    scrolls(e.parentElement));
  for (const e of document.querySelectorAll('body *')) {
    const right = e.getBoundingClientRect().right;
    if (right > width + 1 && e.getBoundingClientRect().width > 0 && !scrolls(e.parentElement))
      wide.push(e.tagName + ' ' + Math.round(right) + ' ' + e.textContent.trim().slice(0, 60));
  }
  return [document.documentElement.scrollHeight, wide];
})()
"""


def pages_of(site: Path) -> list[Path]:
    """All pages but those generated for each name, and the theme's own files."""
    left_out = {"generated", "_static", "_modules"}
    return [p for p in sorted(site.rglob("*.html")) if not left_out & set(p.parts)]


def look(site: Path, pictures: Path | None) -> dict[str, list[str]]:
    """What is wider than the window, by page and width."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    os.environ.setdefault("QTWEBENGINE_CHROMIUM_FLAGS", "--no-sandbox --disable-gpu")
    from PyQt6.QtCore import QTimer, QUrl
    from PyQt6.QtWebEngineWidgets import QWebEngineView
    from PyQt6.QtWidgets import QApplication

    app, view, found = QApplication(["browser"]), QWebEngineView(), dict[str, list[str]]()
    schemes = SCHEMES if pictures else SCHEMES[:1]
    pages = pages_of(site)
    asked = [(page, width, scheme) for page in pages for width in WIDTHS for scheme in schemes]
    left = iter(asked)

    def open_next() -> None:
        nonlocal page, width, scheme
        page, width, scheme = next(left, (None, 0, ""))
        if page is None:
            app.quit()
            return
        view.resize(width, HEIGHT)
        view.load(QUrl.fromLocalFile(str(page.resolve())))

    def loaded() -> None:
        QTimer.singleShot(SETTLED, lambda: view.page().runJavaScript(MEASURE % scheme, measured))

    def measured(answer: list) -> None:
        if answer[1]:
            found[f"{page.relative_to(site)} at {width}"] = answer[1]
        if pictures is None:
            open_next()
            return
        view.resize(width, min(int(answer[0]), TALLEST))
        QTimer.singleShot(PAINTED, keep)

    def keep() -> None:
        name = "_".join(page.relative_to(site).with_suffix("").parts)
        view.grab().save(str(pictures / f"{name}_{width}_{scheme}.png"))
        open_next()

    page, width, scheme = asked[0]
    view.loadFinished.connect(loaded)
    view.show()
    open_next()
    app.exec()
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("site", type=Path)
    parser.add_argument("--pictures", type=Path, help="folder for a picture of each page")
    given = parser.parse_args()
    if given.pictures:
        given.pictures.mkdir(parents=True, exist_ok=True)
    print(json.dumps(look(given.site, given.pictures), indent=1))

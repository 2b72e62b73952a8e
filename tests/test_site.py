"""The built site, where there is one (``make docs``): links inside of it resolve."""

import json
import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

SITE = Path(os.environ.get("SKTGSH_SITE", Path(__file__).parent.parent / "docs/_build/html"))
# Pages that Sphinx makes without the project's own text.
GENERATED = {"search.html", "genindex.html", "py-modindex.html"}


class Page(HTMLParser):
    """Addresses and anchors of a page."""

    def __init__(self, path):
        super().__init__()
        self.links, self.anchors = [], set()
        self.feed(path.read_text())

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.anchors.update(attrs[key] for key in ("id", "name") if attrs.get(key))
        if tag in ("a", "img", "link", "script"):
            self.links += [attrs[key] for key in ("href", "src") if attrs.get(key)]


@pytest.fixture(scope="module")
def pages():
    if not SITE.is_dir():
        pytest.skip("the site is not built: make docs")
    found = sorted(SITE.rglob("*.html"))
    # The theme keeps a template among its static files.
    return {path: Page(path) for path in found if path.parent.name != "_static"}


def test_links_inside_of_the_site_resolve(pages):
    missing = []
    for path, page in pages.items():
        for link in page.links:
            address = urlsplit(link)
            if address.scheme or address.netloc or path.name in GENERATED:
                continue
            target = (path.parent / unquote(address.path)).resolve() if address.path else path
            anchor = unquote(address.fragment)
            if not target.exists() or (
                anchor and target in pages and anchor not in pages[target].anchors
            ):
                missing.append((path.relative_to(SITE).as_posix(), link))
    assert not missing


def test_no_address_is_a_template_or_a_mail_by_mistake(pages):
    wrong = [
        (path.name, link)
        for path, page in pages.items()
        for link in page.links
        if "$" in link or link.startswith("mailto:")
    ]
    assert not wrong


def test_no_text_is_wider_than_the_window(pages):
    pytest.importorskip("PyQt6.QtWebEngineWidgets")
    command = [sys.executable, "-m", "tests.browser", str(SITE)]
    root = Path(__file__).parent.parent
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout[done.stdout.index("{") :]) == {}

"""Attributes keep the text of their class; numpydoc would put a property's shorter one there."""

from numpydoc.docscrape_sphinx import SphinxDocString

_of_numpydoc = SphinxDocString._process_param


def _as_written(self, param, desc, fake_autosummary):
    return _of_numpydoc(self, param, desc, fake_autosummary=False)


def setup(app):
    SphinxDocString._process_param = _as_written
    return {"parallel_read_safe": True, "parallel_write_safe": True}

"""Sphinx configuration."""

import sys
import warnings
from importlib.metadata import metadata
from pathlib import Path

import sktgsh

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))
from gallery import EXAMPLES as SECTIONS  # noqa: E402
from neighbours import intersphinx_mapping as inventories  # noqa: E402

project = "sktgsh"
author = "the sktgsh developers"
copyright = f"2026, {author}"
release = version = sktgsh.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "mathml",
    "attributes",
    "changelog",
    "measured",
    "numpydoc",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
autosummary_generate = True
templates_path = ["_templates"]
numpydoc_show_class_members = False
autodoc_typehints = "none"
nitpicky = True
intersphinx_mapping = inventories(HERE / "_build" / "inventories")
exclude_patterns = ["_build", "sg_execution_times.rst", "**/sg_execution_times.rst"]

html_theme = "pydata_sphinx_theme"
html_title = "sktgsh"
html_show_sourcelink = False
html_logo = "_static/logo.svg"
html_favicon = "_static/logo.svg"
html_static_path = ["_static"]
html_css_files = ["site.css"]
toc_object_entries_show_parents = "hide"
html_theme_options = {
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "logo": {"text": f"sktgsh {version}"},
    "header_links_before_dropdown": 6,
    # The places that pyproject.toml names, as the repository.
    "external_links": [
        dict(zip(("name", "url"), line.split(", ")))
        for line in metadata("sktgsh").get_all("Project-URL") or ()
    ],
}
# Pages without pages below them have nothing to show on the left.
html_sidebars = {page: [] for page in ("index", "installation", "measurements", "reproductions")}

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"plot_",
    "plot_gallery": "True",
    "subsection_order": [f"../examples/{section}" for section in SECTIONS],
    "within_subsection_order": "gallery.place",
    "minigallery_sort_order": "gallery.place",
    # Of examples that draw nothing.
    "default_thumb_file": str(HERE / "images" / "thumbnail.png"),
    "thumbnail_size": (480, 300),
    "show_memory": False,
    "remove_config_comments": True,
    "show_signature": False,
    # What an expression gives is not printed unless it is asked to be.
    "capture_repr": (),
    # Times are those of the machine that builds the site: they say nothing of the examples.
    "write_computation_times": False,
    "min_reported_time": 1e9,
    "download_all_examples": False,
    # The page of each public name shows the examples that use it.
    "doc_module": ("sktgsh",),
    "backreferences_dir": "generated/backreferences",
    "abort_on_example_error": True,
}

# Pictures are drawn without a screen.
warnings.filterwarnings("ignore", message=".*non-interactive.*")
# The example counts them itself.
warnings.filterwarnings("ignore", message=".*units are dead.*")

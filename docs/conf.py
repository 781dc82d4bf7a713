"""How Sphinx builds the manual: ./scripts/docs."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# The tree's own sources: signatures and docstrings of uncompiled modules are the readable ones.
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from longlink import __version__  # noqa: E402

project = "longlink"
author = "longlink contributors"
copyright = author
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "docs._ext.made",
]
exclude_patterns = ["_ext"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
default_role = "code"
nitpicky = False

autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_preserve_defaults = True

html_theme = "furo"
html_title = "longlink"
html_static_path = ["_static"]
html_css_files = ["manual.css"]
html_copy_source = False
html_show_sphinx = False

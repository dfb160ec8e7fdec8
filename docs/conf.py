"""Sphinx builds this folder: `sphinx-build -W -b html docs build/docs`."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
# the extensions of this folder, and the repository itself, whose code fills tables and pages
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]

from kgenn import __version__ as release  # noqa: E402

project = "kgenn"
author = "the kgenn authors"
copyright = f"2026, {author}"
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "docstrings",
    "generated",
    "mathml",
]
exclude_patterns = ["_ext", "_static"]
myst_enable_extensions = ["dollarmath", "deflist", "colon_fence"]
myst_heading_anchors = 3
default_role = "code"
smartquotes = False  # two hyphens are a flag

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_type_aliases = {"Array": "Array", "Shape": "Shape"}
maximum_signature_line_length = 90
autodoc_class_signature = "separated"
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False

html_theme = "furo"
html_title = f"kgenn {release}"
html_static_path = ["_static"]
html_css_files = ["kgenn.css"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_sphinx = False
pygments_style = "friendly"
pygments_dark_style = "github-dark"
copybutton_exclude = ".linenos, .gp"

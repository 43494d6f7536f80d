"""Settings of the documentation, built by `make docs` into build/docs."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

project = 'pmd_mmaction'
author = 'pmd_mmaction authors'
release = re.search(r"'(.+)'", (ROOT / 'pmd_mmaction/version.py').read_text()).group(1)

# The source directory is the root of the repository, so that links between pages hold in both.
root_doc = 'docs/index'
include_patterns = ['*.md', 'docs/**', 'configs/**.md', 'benchmarks/*.md']
exclude_patterns = ['.*', 'build', 'data', 'work_dirs', 'tests', 'pmd_mmaction']

extensions = ['myst_parser', 'sphinx.ext.autodoc', 'sphinx.ext.napoleon', 'sphinx.ext.viewcode']
html_theme = 'furo'
html_title = project
myst_enable_extensions = ['dollarmath']
myst_heading_anchors = 4

autodoc_member_order = 'bysource'
autodoc_typehints = 'description'
autodoc_typehints_description_target = 'documented'
autodoc_default_options = {'members': True, 'show-inheritance': True}
napoleon_use_ivar = True

"""Sphinx configuration; ``sphinx-build -W --keep-going -b html doc doc/_build/html``."""

import pathlib
import sys

import ratekit

sys.path.insert(0, str(pathlib.Path(__file__).parent / "_ext"))

project = "ratekit"
author = "the ratekit developers"
version = release = ratekit.__version__

extensions = ["cliff.sphinxext", "oslo_config.sphinxext", "generated"]
exclude_patterns = ["_build", "examples"]
nitpicky = True
smartquotes = False  # they would change options and commands in prose

# What every command has: cliff's choices of an output format, described once in cli.rst.
autoprogram_cliff_application = "ratekit"
autoprogram_cliff_ignored = [
    "--help",
    "--format",
    "--column",
    "--quote",
    "--noindent",
    "--prefix",
    "--max-width",
    "--fit-width",
    "--print-empty",
    "--sort-column",
    "--sort-ascending",
    "--sort-descending",
]

html_theme = "furo"
html_title = f"ratekit {release}"
html_copy_source = False
html_show_sourcelink = False

"""Jinja2, set up once: everything is escaped, and an unknown name is an error."""

from __future__ import annotations

import functools
import importlib.resources
from collections.abc import Mapping

import jinja2
from markupsafe import Markup

from ratekit.html import breaks
from ratekit.html import formats as texts
from ratekit.html.formats import Formats

#: Of the folder ``static``; bills that are files contain them.
STYLESHEETS = ("style.css", "charts.css")


def render(template: str, formats: Formats, values: Mapping[str, object]) -> Markup:
    """Return the HTML of a template.

    :param template: name of a file in the folder ``templates``
    :param formats: how numbers and times are written; ``formats`` in the template
    :param values: all other names of the template
    """
    text = _environment().get_template(template).render({**values, "formats": formats})
    # Every value in it is escaped.
    return Markup(text)


def read_static(name: str) -> bytes:
    """Return a file of the folder ``static``."""
    return (importlib.resources.files(__package__) / "static" / name).read_bytes()


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(__package__),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters |= {"exact": texts.exact, "joints": breaks.joints, "whole": breaks.whole}
    return environment

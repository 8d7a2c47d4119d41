"""Where lines may end: never inside a time or an option, between the parts of a name.

Browsers end lines at each hyphen, and at no dot. On a telephone that makes two lines of a day, and
a column as wide as the longest name of a metric.
"""

from __future__ import annotations

import re

from markupsafe import Markup, escape

#: A day, perhaps with a clock's time and its zone, and an option of a command.
_WHOLE = re.compile(
    r"""(?<![\w-])(?:
    [0-9]{4}-[0-9]{2}-[0-9]{2}
      (?:T[0-9:]+Z?|[ ][0-9]{2}:[0-9]{2}(?:[ ](?:[A-Z]{2,5}\b|[+-][0-9]{2,4}))?)?
    |--[a-z][a-z-]*
    )""",
    re.VERBOSE,
)
#: What separates the parts of a name, not those of a number or a time.
_JOINT = re.compile(r"(?<=[^\W_])([._:/]+)(?=[^\W\d_])")


def whole(text: object) -> Markup:
    """Return a text in which lines do not end inside times and options.

    What is HTML already is returned as it is.
    """
    if isinstance(text, Markup):
        return text
    return Markup(_WHOLE.sub(r'<span class="whole">\g<0></span>', str(escape(text))))


def joints(name: object) -> Markup:
    """Return a name, such as ``volume.size``, in which lines may end after a dot."""
    # Entities have none of these characters between letters or digits.
    return Markup(_JOINT.sub(r"\1<wbr>", str(escape(name))))

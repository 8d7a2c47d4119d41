"""Services behind Keystone: their options, sessions that use them, and what their errors mean."""

from ratekit.keystone.failures import Sections, translate_errors
from ratekit.keystone.options import (
    connection_options,
    interface_option,
    is_web_url,
    sample_options,
)
from ratekit.keystone.session import open_adapter, open_session, sections_of

__all__ = [
    "Sections",
    "connection_options",
    "interface_option",
    "is_web_url",
    "open_adapter",
    "open_session",
    "sample_options",
    "sections_of",
    "translate_errors",
]

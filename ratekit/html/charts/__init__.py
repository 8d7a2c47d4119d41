"""Charts as inline SVG without styles, scripts and fixed widths: the stylesheet colours them.

Horizontal positions are percentages and texts keep their size, so a chart is as legible on a
telephone as on a wide screen and on paper.
"""

from ratekit.html.charts.bars import Bar, bars
from ratekit.html.charts.stacked_bars import stacked_bars
from ratekit.html.charts.timeline import Span, TimelineRow, timeline

__all__ = ["Bar", "Span", "TimelineRow", "bars", "stacked_bars", "timeline"]

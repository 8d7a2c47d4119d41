"""What commands print: cells, breakdowns, traces, timelines, progress."""

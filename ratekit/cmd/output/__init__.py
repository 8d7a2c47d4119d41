"""How commands print cells, price breakdowns, quantity traces, timelines and progress."""

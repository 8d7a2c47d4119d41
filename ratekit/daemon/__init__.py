"""The long-running processor: parent, workers, and what they tell systemd."""

"""The long-running processor: its parent process, its workers, and their reports to systemd."""

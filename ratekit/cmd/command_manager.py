"""Finds sub-commands."""

from __future__ import annotations

from cliff import commandmanager

from ratekit import plugins


class CommandManager(commandmanager.CommandManager):
    """Imports a command only when it is run; cliff's own class imports all of them."""

    def load_commands(self, namespace: str) -> None:
        """Add the commands of a namespace of entry points."""
        self.group_list.append(namespace)
        for entry_point in plugins.list_entry_points(namespace):
            self.commands[entry_point.name.replace("_", " ")] = entry_point

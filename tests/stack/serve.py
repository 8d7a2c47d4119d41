"""Serves Keystone or Gnocchi with waitress, as a process of its own.

Started as ``python -P serve.py SERVICE FD CONFIG``: a plain script, not a module of this package,
because modules of this package have the names of those that it imports. It serves on a socket that
is already bound: no other process can take the port, so a response comes from this server.
"""

from __future__ import annotations

import socket
import sys
from typing import Any

import waitress

THREADS = 8


def load(service: str, config: str) -> Any:
    """Load a WSGI application."""
    if service == "keystone":
        from keystone.server.flask import core

        return core.initialize_application(name="public", config_files=[config])
    from gnocchi import service as gnocchi_service
    from gnocchi.rest import app

    return app.load_app(gnocchi_service.prepare_service(["--config-file", config]))


if __name__ == "__main__":
    service, handle, config = sys.argv[1:]
    # Keystone reads the command line itself and would refuse these.
    del sys.argv[1:]
    bound = socket.socket(fileno=int(handle))
    waitress.serve(load(service, config), sockets=[bound], threads=THREADS)

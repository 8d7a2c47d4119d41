"""Serves Horizon in its own environment; prints the port. Started as a plain script."""

import os
import socketserver
import wsgiref.simple_server

os.environ["DJANGO_SETTINGS_MODULE"] = "openstack_dashboard.settings"

from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.wsgi import get_wsgi_application


class Server(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    """A page asks for many files at once."""

    daemon_threads = True


server = wsgiref.simple_server.make_server(
    "127.0.0.1", 0, StaticFilesHandler(get_wsgi_application()), Server
)
print(f"port {server.server_port}", flush=True)
server.serve_forever()

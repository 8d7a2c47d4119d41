"""The API for WSGI servers such as uWSGI, gunicorn and mod_wsgi: ``ratekit.wsgi:application``.

It reads the configuration with the first request, not the server's command line: ratekit.conf is
where ``RATEKIT_CONFIG`` or the usual folders say.
"""

from __future__ import annotations

from ratekit.cmd.api import build_from_files
from ratekit.cmd.lazy_application import LazyApplication

#: The WSGI application.
application = LazyApplication(build_from_files)

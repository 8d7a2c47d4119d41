"""Horizon's settings, copied into its package; addresses come from the environment."""

import os

DEBUG = True
ALLOWED_HOSTS = ["127.0.0.1"]
SECRET_KEY = "only on loopback, for minutes"
WEBROOT = "/"
TIME_ZONE = "UTC"
COMPRESS_ENABLED = False
SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
OPENSTACK_KEYSTONE_URL = os.environ["JUDGE_KEYSTONE_URL"]
OPENSTACK_CLOUDKITTY_GROUPBY_LIST = ["type", "id", "flavor_name"]
# All digits: the default rounds to two.
LOGGING = {"version": 1, "disable_existing_loggers": False}

"""oslo.policy's enforcer, which goes on with the policies of before when their file breaks."""

from __future__ import annotations

import logging
import threading
from typing import Any

from oslo_policy import opts, policy

from ratekit import errors

LOG = logging.getLogger(__name__)

#: What the library raises for a file that is no YAML mapping, or that cannot be read.
_BROKEN = (ValueError, TypeError, AttributeError, OSError)


class Enforcer(policy.Enforcer):
    """Decides by the defaults, and by the operator's file of overrides, read when it changes.

    :param conf: a loaded ``ConfigOpts``
    """

    def __init__(self, conf: Any) -> None:
        opts.set_defaults(conf, policy_file="policy.yaml")
        super().__init__(conf)
        self._lock = threading.Lock()

    def check(self) -> None:
        """Read the file; log names in it that are probably misspelt.

        :raises ratekit.errors.OperatorError: it cannot be used
        """
        try:
            super().load_rules()
        except _BROKEN as error:
            raise errors.OperatorError(self._describe(error)) from None
        for name in self.file_rules:
            hint = errors.suggestion(name, self.registered_rules)
            if name not in self.registered_rules and hint:
                LOG.warning("%s: unknown policy %r%s", self.policy_path, name, hint)

    def load_rules(self, force_reload: bool = False) -> None:
        """Read the file if it has changed; a thread waits while another does it."""
        with self._lock:
            try:
                super().load_rules(force_reload)
            except _BROKEN as error:
                LOG.error("%s; the policies of before go on", self._describe(error))

    def _describe(self, error: Exception) -> str:
        text = " ".join(str(error).split())
        return f"[oslo_policy] policy_file: {self.policy_path} cannot be used: {text}"

"""Names of metrics and scopes in options: the database knows all, an API only what it tells."""

from __future__ import annotations

import argparse
import datetime
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ratekit.cmd import options
from ratekit.domain.reporting.reports import ALL_SCOPES, Selection
from ratekit.interfaces import Reports

if TYPE_CHECKING:
    from ratekit.cmd.ratekit import Ratekit


def select(
    app: Ratekit,
    parsed_args: argparse.Namespace,
    conf: Any,
    reports: Reports,
    zone: datetime.tzinfo,
) -> Selection:
    """Return the usage that a command's options select.

    :raises ratekit.errors.OperatorError: a name or a time is wrong
    """
    check_names(app, conf, reports, parsed_args.metric)
    ids_only = takes_ids_only(app, parsed_args.scope, reports)
    return options.read_selection(parsed_args, reports, zone, app.clock(), ids_only)


def check_names(
    app: Ratekit, conf: Any, reports: Reports, metrics: Sequence[str], labels: Sequence[str] = ()
) -> None:
    """Refuse metrics and labels that have never been rated; over an API, warn of metrics.

    metrics.yml of another host may know other metrics, and only the database has all that ever
    were.

    :raises ratekit.errors.OperatorError: one has never been rated
    """
    if not app.is_remote():
        options.require_known(reports, conf.collect, metrics, labels)
    elif metrics:
        for text in options.warn_of_metrics(metrics, reports.labels()):
            app.note(f"warning: {text}")


def takes_ids_only(app: Ratekit, scopes: Sequence[str], reports: Reports) -> bool:
    """Return whether names of scopes cannot be found: a member who asks the API may list none.

    :param scopes: what ``--scope`` names
    """
    return app.is_remote() and bool(scopes) and not reports.scopes(ALL_SCOPES)

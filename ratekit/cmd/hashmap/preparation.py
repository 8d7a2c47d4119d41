"""The first half of ``ratekit hashmap plan`` and ``apply``: read the file, plan the change."""

from __future__ import annotations

import argparse
import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ratekit import bounded_file
from ratekit.cmd import command_types, instants
from ratekit.text import utc_text

if TYPE_CHECKING:
    from ratekit.admin.rule_plan import PreparedPlan


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that :func:`prepare` reads."""
    parser.add_argument("file", metavar="FILE", help="rules as YAML, such as hashmap.yml")
    parser.add_argument(
        "--at",
        metavar="TIME",
        help="when rules without a time of their own start or end: the start of a period, "
        f"{instants.TIME}; default: start of the next period",
    )
    parser.add_argument(
        "--retroactive",
        action="store_true",
        help="allow new prices for periods that have been rated; their charges stay until you "
        "reprocess them",
    )
    parser.add_argument(
        "--bring-forward",
        action="store_true",
        help="make changes that are scheduled for later now, too; otherwise they stay scheduled",
    )
    parser.add_argument(
        "--allow-unknown",
        action="store_true",
        help="accept rules for services and fields that neither metrics.yml nor any usage has, "
        "and for unknown scopes",
    )
    parser.add_argument(
        "--allow-free",
        action="store_true",
        help="accept that services that have been rated are left without rules, and that usage "
        "with a price becomes free",
    )


def prepare(
    command: command_types.Action, parsed_args: argparse.Namespace
) -> tuple[Any, PreparedPlan]:
    """Read the file and plan the change; return the configuration, too.

    :raises ratekit.errors.OperatorError: the change must not be made
    """
    from ratekit import composition
    from ratekit.admin import rule_plan
    from ratekit.conf import collect
    from ratekit.files import rules_file

    placed = rules_file.read_with_places(parsed_args.file)
    at = read_optional_instant("--at", parsed_args.at, command.app.clock())
    conf = command.app.load_conf()
    storage = command.app.open_storage(conf)
    # By a wrong clock, rules would start at a wrong time.
    composition.require_right_clock(conf, storage.ledger, command.app.clock())
    site = rule_plan.Site(
        storage,
        collect.build_calendar(conf),
        composition.build_modules(conf),
        conf.collect.metrics_conf,
        conf.collect.scope_key,
    )
    request = rule_plan.PlanRequest(
        parsed_args.file,
        placed,
        at,
        parsed_args.retroactive,
        parsed_args.bring_forward,
        parsed_args.allow_unknown,
        parsed_args.allow_free,
    )
    return conf, rule_plan.prepare(site, request, command.app.clock())


def request_body(
    command: command_types.Action,
    parsed_args: argparse.Namespace,
    since: datetime.datetime | None,
) -> Mapping[str, object]:
    """Read the file; return what the API is asked to plan.

    :raises ratekit.errors.OperatorError: the file has mistakes
    """
    from ratekit.files import rules_file, yaml_nodes

    rules_file.read_with_places(parsed_args.file)
    at = read_optional_instant("--at", parsed_args.at, command.app.clock())
    times = {"since": since, "at": at}
    return {
        "rules": bounded_file.read_text(parsed_args.file, yaml_nodes.MAX_BYTES),
        "name": parsed_args.file,
        **{key: utc_text(instant) for key, instant in times.items() if instant is not None},
        "retroactive": parsed_args.retroactive,
        "bring_forward": parsed_args.bring_forward,
        "allow_unknown": parsed_args.allow_unknown,
        "allow_free": parsed_args.allow_free,
        "all": parsed_args.all,
    }


def read_optional_instant(
    option: str, text: str | None, now: datetime.datetime
) -> datetime.datetime | None:
    """Return an option's time, None if the option is absent.

    :raises ratekit.errors.OperatorError: it is not a time
    """
    return None if text is None else instants.read_instant(option, text, now)

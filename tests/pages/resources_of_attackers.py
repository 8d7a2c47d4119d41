"""Usage of projects whose names, and whose resources' labels, are attacks."""

from __future__ import annotations

import time
from collections.abc import Mapping

import sqlalchemy as sa

from tests.pages.people import FORMULA, SCRIPT
from tests.stack import fill_gnocchi, history, resources
from tests.stack.api import Api
from tests.stack.plan import HOUR, Revision
from tests.stack.postgres import Postgres
from tests.stack.resources import Flavor, Span
from tests.stack.samples import constant
from tests.stack.stack import Stack

#: A label's value that is an attack.
IMAGE = "<img src=x onerror=\"document.title='attacked'\">"
#: Seconds until Gnocchi has processed measures.
_PATIENCE = 120


def create(stack: Stack, project_ids: Mapping[str, str]) -> None:
    """Write an instance of each such project, with its last two days."""
    plan = stack.plan()
    span = Span(plan.begin, plan.end - 48 * HOUR, plan.end)
    attacks = []
    for number, project in enumerate((SCRIPT, FORMULA)):
        name = f"{project} {number}"
        flavor = Flavor(IMAGE, 1, 512) if project == SCRIPT else resources.SMALL
        revisions = (Revision(span.begin, None, resources.instance(name, flavor)),)
        metrics = resources.instance_metrics(number, span, constant(512))
        attacks.append(resources.assemble(name, "instance", project, revisions, metrics))
    api = Api(stack.admin_session(), stack.gnocchi_url, stack.log("gnocchi-api"))
    fill_gnocchi.write(api, attacks, project_ids)
    server = sa.make_url(stack.database_url)
    history.backdate(Postgres(server.port or 0, server.password or ""), attacks)
    deadline = time.monotonic() + _PATIENCE
    while fill_gnocchi.backlog(api):
        assert time.monotonic() < deadline, "Gnocchi processes no measures"
        time.sleep(0.2)

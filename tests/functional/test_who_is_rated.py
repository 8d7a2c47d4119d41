"""Which projects are rated: roles, groups, inheritance, disabled projects."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ratekit import errors
from ratekit.domain.reporting.reports import ALL_SCOPES
from tests.functional.conftest import Deployment

DEMO = {"demo-01", "demo-02", "demo-03", "demo-04"}


def test_roles_decide_who_is_rated(new_deployment: Callable[[], Deployment]) -> None:
    deployment = new_deployment()
    deployment.rate()
    assert deployment.projects() == DEMO | {"cases", "disabled", "grouped", "inherited"}


def test_disabled_projects_are_ignored_with_ignore_disabled_tenants(
    new_deployment: Callable[[], Deployment],
) -> None:
    deployment = new_deployment()
    deployment.configure("fetcher_keystone", ignore_disabled_tenants=True)
    deployment.rate()
    assert deployment.projects() == DEMO | {"cases", "grouped", "inherited"}


def test_every_project_is_rated_when_roles_are_ignored(
    new_deployment: Callable[[], Deployment],
) -> None:
    deployment = new_deployment()
    deployment.configure("fetcher_keystone", ignore_rating_role=True)
    deployment.rate()
    assert deployment.projects() >= DEMO | {"cases", "disabled", "grouped", "inherited", "unrated"}


def test_a_role_that_no_project_has_is_a_mistake(new_deployment: Callable[[], Deployment]) -> None:
    deployment = new_deployment()
    deployment.configure("fetcher_keystone", role_name="no-such-role")
    with pytest.raises(errors.OperatorError, match="'no-such-role'"):
        deployment.rate()
    assert deployment.storage.reports.scopes(ALL_SCOPES) == []


def test_the_static_fetcher_lists_the_scopes_of_its_option(
    new_deployment: Callable[[], Deployment],
) -> None:
    deployment = new_deployment()
    deployment.configure("fetcher", backend="static")
    deployment.configure("fetcher_static", scopes=[deployment.cloud.project_ids["unrated"]])
    deployment.rate()
    assert deployment.projects() == {"unrated"}

"""Keystone says who is rated: roles, groups, inheritance, disabled projects."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ratekit import errors
from tests.functional.conftest import Office

DEMO = {"demo-01", "demo-02", "demo-03", "demo-04"}


def test_roles_decide_who_is_rated(new_office: Callable[[], Office]) -> None:
    office = new_office()
    office.rate()
    assert office.projects() == DEMO | {"cases", "disabled", "grouped", "inherited"}


def test_disabled_projects_are_left_out_when_asked(new_office: Callable[[], Office]) -> None:
    office = new_office()
    office.configure("fetcher_keystone", ignore_disabled_tenants=True)
    office.rate()
    assert office.projects() == DEMO | {"cases", "grouped", "inherited"}


def test_every_project_is_rated_when_roles_are_ignored(new_office: Callable[[], Office]) -> None:
    office = new_office()
    office.configure("fetcher_keystone", ignore_rating_role=True)
    office.rate()
    assert office.projects() >= DEMO | {"cases", "disabled", "grouped", "inherited", "unrated"}


def test_no_project_is_rated_by_a_role_that_nobody_has(new_office: Callable[[], Office]) -> None:
    office = new_office()
    office.configure("fetcher_keystone", role_name="no-such-role")
    with pytest.raises(errors.OperatorError, match="has the role 'no-such-role' on no project"):
        office.rate()
    assert office.storage.reports.scopes() == []


def test_the_static_fetcher_rates_what_the_file_names(new_office: Callable[[], Office]) -> None:
    office = new_office()
    office.configure("fetcher", backend="static")
    office.configure("fetcher_static", scopes=[office.cloud.project_ids["unrated"]])
    office.rate()
    assert office.projects() == {"unrated"}

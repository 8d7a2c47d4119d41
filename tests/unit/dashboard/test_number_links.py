"""Every number leads to what explains it, and there is the same number."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ratekit.domain.reporting.bill import add_up
from tests.page_client import PageClient, PageResponse
from tests.unit.dashboard.page_numbers import EXCEPTIONS, Number, read_numbers, require_links
from tests.unit.dashboard.test_plan import plan

#: Days in which a label of project a changes, and a time in which its resource has another label.
_DAYS = "begin=2026-03-02&end=2026-03-09"
_USAGE = f"scope=a&{_DAYS}"
PAGES = (
    "overview?scope=a",
    f"costs?{_USAGE}",
    f"costs?{_USAGE}&by=metric",
    f"costs?{_USAGE}&by=flavor_name",
    "costs?scope=a&begin=2026-03-04&end=2026-03-05&by=hour&metric=instance",
    f"resources?{_USAGE}",
    f"resources?{_USAGE}&metric=instance&label=flavor_name&value=m1",
    f"resource?{_USAGE}",
    "resource?scope=a&begin=2026-03-05&end=2026-03-06",
    f"totals?{_DAYS}",
    f"totals?{_DAYS}&metric=instance",
    f"projects?{_DAYS}&order=cost",
    f"projects?{_DAYS}&metric=instance",
)
#: Places whose link leads to usage that the number was computed from, and not to its sum.
_ESTIMATES = {("overview", "Expected at the end"), ("projects", "Behind")}


@pytest.mark.parametrize("page", PAGES)
def test_a_number_is_that_of_the_page_behind_its_link(cloud: PageClient, page: str) -> None:
    response = cloud.get(f"/dashboard/{page}")
    require_links(f"/dashboard/{page}", response)
    require_equal(cloud, page, response)


def test_charges_of_a_plan_are_those_of_the_pages_behind_their_links(cloud: PageClient) -> None:
    response = plan(cloud, since="2026-03-04")
    assert require_links("/dashboard/plan", response) == {
        key for key in EXCEPTIONS if key[0] == "plan"
    }
    require_equal(cloud, "plan", response)


def require_equal(cloud: PageClient, page: str, response: PageResponse) -> None:
    """Follow the first link of each place of a page."""
    numbers = {
        number.place: number
        for number in reversed(list(read_numbers(f"/dashboard/{page}", response)))
        if number.value is not None and number.link is not None
    }
    assert numbers
    for number in numbers.values():
        assert number.link is not None
        explanation = cloud.get(number.link)
        assert explanation.status == 200, number
        # Resources can be of several metrics, and have no quantities.
        has_sum = number.place != "Quantity" or "/resources?" not in number.link
        if has_sum and (number.page, number.place) not in _ESTIMATES:
            assert number.value in sums(number, explanation), number


def sums(number: Number, response: PageResponse) -> set[Decimal]:
    """Return what a page adds up to: costs, or quantities for a quantity."""
    is_quantity = number.place.startswith("Quantity")
    kind = "quantity" if is_quantity else "money"
    figures = response.content.select(f".figure data.{kind}")
    if figures:
        return {Decimal(str(figures[0]["value"]))}
    cells = [row.select(f"data.{kind}") for row in response.content.select(".scroll tbody tr")]
    return {add_up(Decimal(str(data[0]["value"])) for data in cells if data)}

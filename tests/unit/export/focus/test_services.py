"""Which service a metric belongs to."""

from __future__ import annotations

import pathlib

import pytest

from ratekit.domain.reporting.service_categories import CATEGORIES
from ratekit.export.focus import services
from ratekit.export.focus.services import Services
from ratekit.files import metrics_file
from tests import focus_rules

ROOT = pathlib.Path(__file__).parents[4]
SHIPPED = ROOT / "etc/ratekit/metrics.yml"


def test_categories_are_those_of_the_standard() -> None:
    assert CATEGORIES.keys() == set(focus_rules.SUBCATEGORIES)
    for subcategory, category in CATEGORIES.items():
        names = focus_rules.CATEGORIES[category]
        assert subcategory in (*names, f"Other ({category})")


def test_each_service_has_one_subcategory() -> None:
    pairs = set(services.BY_TYPE.values())
    assert len({name for name, _ in pairs}) == len(pairs)
    assert {subcategory for _, subcategory in pairs} <= CATEGORIES.keys()


def test_every_metric_that_is_shipped_has_a_service() -> None:
    settings = metrics_file.read_settings(str(SHIPPED))
    found = Services(settings)
    names = {
        entry.get("alt_name") or name
        for name, content in settings.items()
        for entry in (content if isinstance(content, list) else [content])
    }
    by_category = {name: found.find(name).category for name in names}
    assert by_category["instance"] == "Compute"
    assert "Other" not in by_category.values()


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("small", ("Compute", "Virtual Machines", "instance", "id", "Small servers")),
        ("named", ("Archive", "Backup Storage", "volume", "uuid", "named")),
        ("unusual", ("unusual", "Other (Other)", "coffee", "id", "unusual")),
        ("gone", ("gone", "Other (Other)", "gone", "id", "gone")),
        ("volume", ("Block Storage", "Block Storage", "volume", "id", "volume")),
    ],
)
def test_a_metric_has_the_service_of_its_entry_or_of_its_resource_type(
    metric: str, expected: tuple[str, ...]
) -> None:
    found = Services(
        {
            "cpu": [
                {
                    "alt_name": "small",
                    "description": "Small servers",
                    "extra_args": {"resource_type": "instance"},
                },
                {"alt_name": "unusual", "extra_args": {"resource_type": "coffee"}},
            ],
            "named": {
                "focus": {"service": "Archive", "subcategory": "Backup Storage"},
                "extra_args": {"resource_type": "volume", "resource_key": "uuid"},
            },
        }
    ).find(metric)
    assert (
        found.name, found.subcategory, found.resource_type, found.resource_key, found.title
    ) == expected  # fmt: skip

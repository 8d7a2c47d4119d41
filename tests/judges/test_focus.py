"""An export as FOCUS before the validator of the FinOps Foundation, whose newest release knows 1.0.

tests/focus_rules.py judges by 1.2. What the validator refuses because 1.2 has changed it, or by
mistake, is expected here, each with its reason; anything else fails.
"""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterator
from random import Random

import pytest

from ratekit.interfaces import Storage
from ratekit.storage import migrate
from tests.contract import given, test_explaining
from tests.databases import new_database
from tests.focus_export import build_order, read, write
from tests.judges import environments

_FAILED = re.compile(r"^(\w+) failed:$", re.MULTILINE)

_CONDITIONAL = "in 1.2 only providers with such discounts have the column"
_DISPLAY_NAME = "it looks for the column by its display name"
EXPECTED = {
    "CommitmentDiscountCategory_Required": _CONDITIONAL,
    "CommitmentDiscountId_Required": _CONDITIONAL,
    "CommitmentDiscountName_Required": _CONDITIONAL,
    "CommitmentDiscountStatus_Required": _CONDITIONAL,
    "CommitmentDiscountType_Required": _CONDITIONAL,
    "InvoiceIssuer_Required": _DISPLAY_NAME,
    "Provider_Required": _DISPLAY_NAME,
    "Publisher_Required": _DISPLAY_NAME,
    "ResourceID_Required": _DISPLAY_NAME,
    "SkuPriceId_Nullable": "it looks at ChargeType, a column of 0.5",
}


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    """Six hours of random usage by random rules."""
    with new_database("sqlite", tmp_path_factory.mktemp("ledger")) as url:
        migrate.upgrade(url)
        storage = given.reopen(url)
        random = Random(12)
        test_explaining.change(storage, random, 0, None, count=80)
        test_explaining.rate(storage, test_explaining.build_rater(storage, random), 0, 6)
        yield storage


def validate(path: pathlib.Path) -> set[str]:
    """Return the names of the rules that a file breaks."""
    programs = environments.programs("focus")
    command = [str(programs / "focus-validator"), "--data-file", str(path)]
    # It looks for its list of currencies from there.
    [folder] = programs.parent.glob("lib/python3*/site-packages")
    result = environments.run([*command, "--validate-version", "1.0"], 300, folder=folder)
    failures = set(_FAILED.findall(result.stdout))
    assert failures, result.stderr
    return failures


def test_the_validator_finds_only_what_is_expected(
    storage: Storage, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "charges.csv"
    text = write(storage, build_order("hour"))
    assert read(text)
    path.write_text(text, encoding="utf-8", newline="")
    assert validate(path) == EXPECTED.keys()


def test_the_validator_can_find_mistakes(storage: Storage, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "charges.csv"
    text = write(storage, build_order())
    for right, wrong in ((",EUR,", ",Euro,"), (",Usage-Based,", ",Sometimes,"), ("00Z,", "00,")):
        assert right in text
        text = text.replace(right, wrong)
    path.write_text(text, encoding="utf-8", newline="")
    assert validate(path) - EXPECTED.keys() >= {
        "BillingCurrency_IsCurrencyCode",
        "ChargeFrequency_Enum",
        "BillingPeriodStart_IsDateTime",
    }

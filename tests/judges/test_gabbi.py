"""CloudKitty's own gabbi files, unmodified, against a running ratekit-api.

:data:`EXPECTED` has every file, and each test in it that must fail, with the reason. A test that
fails without being there fails here, and so does one that passes although it is there.
"""

from __future__ import annotations

import json
import pathlib

import pytest

from tests.judges import cloudkitty_source, environments, gabbi_setups, live_api
from tests.judges.gabbi_expected import EXPECTED

_RUNNER = environments.SCRIPTS / "gabbi_runner.py"


def test_every_file_is_judged() -> None:
    assert cloudkitty_source.gabbi_files().keys() == EXPECTED.keys()


@pytest.mark.parametrize("name", EXPECTED)
def test_cloudkittys_file_passes_but_for_what_is_expected(
    name: str, tmp_path: pathlib.Path
) -> None:
    results = _judge(name, tmp_path)
    failures = {test: reason for test, reason in results.items() if reason}
    expected = EXPECTED[name]
    assert len(results) == expected.tests
    surprises = {test: reason for test, reason in failures.items() if test not in expected.failures}
    assert not surprises
    assert failures.keys() == expected.failures.keys()


def _judge(name: str, folder: pathlib.Path) -> dict[str, str | None]:
    """Return why each test failed, by the tests' names."""
    path = cloudkitty_source.gabbi_files()[name]
    with gabbi_setups.prepared(name, folder), live_api.serve(folder) as url:
        command = [str(environments.programs("gabbi") / "python"), str(_RUNNER), url, str(path)]
        result = environments.run(command, 300)
    assert result.returncode == 0, result.stderr
    results: dict[str, str | None] = json.loads(result.stdout)
    return results

"""What CloudKitty's gabbi files come to: the tests that must fail, with the reason.

A reason starts with the number of a deviation in doc/api.rst, or with what only CloudKitty's own
test doubles do.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True, slots=True)
class Expected:
    """What one file comes to.

    :ivar tests: how many it has
    :ivar failures: tests that must fail -> why
    """

    tests: int
    failures: Mapping[str, str] = dataclasses.field(default_factory=dict)


_FLOATS = "D8: costs keep the digits that were given, not those of a float"
_SUCCESSOR = "D6: a rule that has begun gets a successor under the same id"
_MADE_UP_MODULES = "double: modules fake1, fake2 and fake3, which only CloudKitty's tests have"
_MODULES = "D10: ratekit.conf decides which modules rate"
_SCRIPTS = "D11: there are no scripts"
_COLLECTORS = "D12: there are no mappings, and ratekit.conf names the collector"
_PUSH = "D13: frames from elsewhere are refused"
_LABELS = "double: labels that are numbers and truth values; ratekit's are text"
_IDS = "double: ids that CloudKitty's tests replace by a counter"
_CALENDAR = "D18: double: labels of weeks, days and years made up; ratekit reads the calendar"
_NO_LIMIT = "double: a storage without the default page of 100 points"
_OPEN_TASK = "D3: a reset is a task, and the one of all scopes is still open"
_NEW_SCOPE = "scopes come from the fetcher, and none is created"

_CREATED = (
    "create a flat service mapping",
    "create a rate service mapping",
    "create a flat service mapping for a tenant",
    "create a flat service threshold for a tenant",
    "create a flat field mapping",
    "create a rate field mapping",
)
_LOCATED = (
    "check redirect on service creation",
    "check redirect on service mapping creation",
    "delete test mapping",
    "check redirect on service threshold creation",
    "delete test threshold",
    "check redirect on field creation",
    "check redirect on field mapping creation",
    "check redirect on field threshold creation",
    "check redirect on group creation",
)
_MADE_UP = (
    "list all modules available",
    "get information of one module",
    "change priority of a module",
    "get information of the modified module (priority)",
    "change enabled status of a module",
    "get information of the modified module (status)",
    "change status and priority of a module",
    "get information of the modified module (both)",
)
_SCRIPT_TESTS = (
    "check pyscripts module is loaded",
    "typo of script",
    "create policy script",
    "create duplicate policy script",
    "list scripts",
    "list scripts excluding data",
    "get script",
    "modify script",
    "modify unknown script",
    "check updated script",
    "delete script",
)
_COLLECTOR_TESTS = (
    "enable collector",
    "create mapping",
    "get all mappings",
    "create second mapping",
    "get all mappings filtering on collector fake1",
    "get all mappings filtering on collector fake2",
    "get all mappings with no filtering",
    "get a mapping filtering on service metric8",
    "delete a mapping",
)
_FRAMES = (
    "fetch data for the first tenant",
    "fetch data for the second tenant",
    "fetch data for multiple tenants",
)
_PUSHES = (
    "Push dataframes",
    "Push dataframes with empty dataframes",
    "Push dataframes with missing key",
    "Push dataframe with malformed datapoint",
    "Push dataframe with malformed datetimes",
)
_FILTERED = tuple(f"fetch data filtering on {name} service and tenant" for name in ("cpu", "image"))

EXPECTED: Mapping[str, Expected] = {
    "hash": Expected(
        35,
        {
            **dict.fromkeys(_CREATED, _FLOATS),
            "change the cost of a mapping": _SUCCESSOR,
            "check updated mapping": _SUCCESSOR,
        },
    ),
    "hash-empty": Expected(4),
    "hash-errors": Expected(27),
    "hash-location": Expected(9, dict.fromkeys(_LOCATED, _IDS)),
    "ks_middleware_auth": Expected(3),
    "ks_middleware_cors": Expected(4),
    "no_auth": Expected(1),
    "pyscripts": Expected(15, dict.fromkeys(_SCRIPT_TESTS, _SCRIPTS)),
    "root-v1-storage": Expected(
        3, {"test that only one APIs is available": "double: a storage without version 2"}
    ),
    "root-v2-storage": Expected(3),
    "v1-collector": Expected(16, dict.fromkeys(_COLLECTOR_TESTS, _COLLECTORS)),
    "v1-info": Expected(3),
    "v1-rating": Expected(
        15,
        {
            **dict.fromkeys(_MADE_UP, f"{_MODULES}; {_MADE_UP_MODULES}"),
            "get a quote for a resource description": "double: a quote that is always 1.0",
            "verify module exposes its custom API": _MADE_UP_MODULES,
        },
    ),
    "v1-report": Expected(16),
    "v1-storage": Expected(12, dict.fromkeys((*_FRAMES, *_FILTERED), _LABELS)),
    "v2-dataframes": Expected(
        17,
        {
            **dict.fromkeys(_PUSHES, _PUSH),
            **dict.fromkeys((*_FRAMES, *_FILTERED), _LABELS),
            "fetch data for the first tenant without end time": _NO_LIMIT,
        },
    ),
    "v2-rating-modules": Expected(9, dict.fromkeys(_MADE_UP, f"{_MODULES}; {_MADE_UP_MODULES}")),
    "v2-scope-state": Expected(
        19,
        {
            "Reset one scope state": _OPEN_TASK,
            "Reset several scope states": _OPEN_TASK,
            "Create scope with last_processed_timestamp": _NEW_SCOPE,
            "Create scope without last_processed_timestamp fails": _NEW_SCOPE,
        },
    ),
    "v2-summary": Expected(
        12,
        {
            "Get a summary grouped by time-w and project_id": _CALENDAR,
            "Get a summary grouped by time-d": _CALENDAR,
            "Get a summary grouped by time-y": _CALENDAR,
        },
    ),
}

"""All operations of the API."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from ratekit.api import openapi, versions
from ratekit.api.arguments import Arguments
from ratekit.api.operation import Call, Operation
from ratekit.api.v1 import collector, info, module_config
from ratekit.api.v1 import quote as v1_quote
from ratekit.api.v1 import rating as v1_rating
from ratekit.api.v1 import report as v1_report
from ratekit.api.v1 import storage as v1_storage
from ratekit.api.v1.hashmap import routes as v1_hashmap
from ratekit.api.v2 import coverage as v2_coverage
from ratekit.api.v2 import dataframes as v2_dataframes
from ratekit.api.v2 import explain as v2_explain
from ratekit.api.v2 import export as v2_export
from ratekit.api.v2 import plan as v2_plan
from ratekit.api.v2 import quote as v2_quote
from ratekit.api.v2 import rating as v2_rating
from ratekit.api.v2 import reprocess as v2_reprocess
from ratekit.api.v2 import scope as v2_scope
from ratekit.api.v2 import summary as v2_summary


def get_document(_: Call[Arguments]) -> Mapping[str, Any]:
    """Describe all operations, as OpenAPI 3.1."""
    return _document()


@functools.cache
def _document() -> Mapping[str, Any]:
    return openapi.build(OPERATIONS)


OPERATIONS: Sequence[Operation] = [
    *versions.OPERATIONS,
    Operation("GET", "/openapi.json", get_document, None),
    *info.OPERATIONS,
    *collector.OPERATIONS,
    *v1_hashmap.OPERATIONS,
    *module_config.OPERATIONS,
    *v1_rating.OPERATIONS,
    *v1_quote.OPERATIONS,
    *v1_report.OPERATIONS,
    *v1_storage.OPERATIONS,
    *v2_dataframes.OPERATIONS,
    *v2_rating.OPERATIONS,
    *v2_scope.OPERATIONS,
    *v2_coverage.OPERATIONS,
    *v2_reprocess.OPERATIONS,
    *v2_explain.OPERATIONS,
    *v2_export.OPERATIONS,
    *v2_summary.OPERATIONS,
    *v2_plan.OPERATIONS,
    *v2_quote.OPERATIONS,
]

"""The two questions that ratekit asks Gnocchi, and what its refusals mean."""

from __future__ import annotations

import dataclasses
import datetime
import json
import re
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any

import requests
from gnocchiclient import client as gnocchi_client
from gnocchiclient import exceptions

from ratekit import errors, keystone

#: Answers that mean "there is nothing": an unknown metric, no resource that has it, no
#: measures yet.
_SILENCE = re.compile(r"Metric .*does not exist")
_NO_SUCH_TYPE = re.compile(r"Resource type .*(does not exist|not found)", re.IGNORECASE)
#: Resources whose history is asked for together: few enough for one page of answers.
_ASKED_AT_ONCE = 50
#: Codes that may go away when less is asked, or later.
_OVERLOADED = {408, 413, 414, 429, 500, 502, 503, 504}


@dataclasses.dataclass(frozen=True, slots=True)
class Question:
    """One request for aggregates with history.

    :ivar groupby: attributes that come back with each group
    :ivar start: inclusive, UTC
    :ivar stop: exclusive, UTC
    :ivar granularity: seconds
    """

    metric: str
    aggregation_method: str
    resource_type: str
    scope_key: str
    scopes: Collection[str]
    groupby: Sequence[str]
    start: datetime.datetime
    stop: datetime.datetime
    granularity: int


class Client:
    """Gnocchi's REST API, version 1.

    :param api: session and endpoint; gnocchiclient's adapter, whose wrappers for the calls
        themselves cost more than the calls
    """

    def __init__(self, api: gnocchi_client.SessionClient) -> None:
        self._api = api

    def aggregates(self, question: Question) -> list[Any]:
        """Return Gnocchi's groups, numbers as Decimal; none means silence.

        :raises ratekit.errors.TryLater: no answer for now, or one that makes no sense
        :raises ratekit.errors.OperatorError: Gnocchi cannot aggregate this
        """
        body = {
            # Any re-aggregation gives the same within one resource's bucket.
            "operations": [
                "aggregate",
                "max",
                ["metric", question.metric, question.aggregation_method],
            ],
            "resource_type": question.resource_type,
            "search": {
                "and": [
                    {"=": {"type": question.resource_type}},
                    {"in": {question.scope_key: sorted(question.scopes)}},
                ]
            },
        }
        parameters = {
            "groupby": question.groupby,
            "use_history": "true",
            "start": question.start.isoformat(),
            "stop": question.stop.isoformat(),
            "granularity": question.granularity,
        }
        answer = self._ask(
            "POST", "v1/aggregates", params=parameters, data=json.dumps(body),
            headers={"Content-Type": "application/json"},
        )  # fmt: skip
        if answer is None:
            return []
        if not isinstance(answer, list):
            raise errors.TryLater("Gnocchi's aggregates are not a list")
        return answer

    def attributes(self, resource_type: str) -> frozenset[str] | None:
        """Return the names of a resource type's own attributes; None: no such type."""
        answer = self._ask("GET", f"v1/resource_type/{resource_type}")
        if answer is None:
            return None
        try:
            return frozenset(answer["attributes"])
        except (TypeError, KeyError):
            raise errors.TryLater(f"Gnocchi's resource type {resource_type} is senseless") from None

    def born_before(
        self, resource_type: str, starts: Mapping[str, datetime.datetime]
    ) -> frozenset[str]:
        """Return the ids of resources that have a revision which starts before the given one.

        :param starts: start of a revision, by resource's id
        """
        older: set[str] = set()
        ids = sorted(starts)
        for some in (ids[at : at + _ASKED_AT_ONCE] for at in range(0, len(ids), _ASKED_AT_ONCE)):
            latest = max(starts[one] for one in some).isoformat()
            body = {"and": [{"in": {"id": some}}, {"<": {"revision_start": latest}}]}
            answer = self._ask(
                "POST", f"v1/search/resource/{resource_type}", data=json.dumps(body),
                params={"history": "true", "sort": "revision_start:asc", "limit": 1000},
                headers={"Content-Type": "application/json"},
            )  # fmt: skip
            try:
                older.update(
                    row["id"]
                    for row in answer
                    if datetime.datetime.fromisoformat(row["revision_start"]) < starts[row["id"]]
                )
            except (TypeError, KeyError, ValueError) as error:
                raise errors.TryLater(f"Gnocchi's resources are senseless: {error!r}") from error
        return frozenset(older)

    def _ask(self, method: str, url: str, **request: Any) -> Any:
        """Return the parsed answer, None for silence."""
        try:
            with keystone.explained("Keystone, asked for Gnocchi,"):
                response = self._api.request(url, method, raise_exc=False, **request)
        except exceptions.ConnectionTimeout as error:
            raise errors.TryLater(f"Gnocchi took too long: {keystone.one_line(error)}") from error
        except (exceptions.ConnectionFailure, exceptions.UnknownConnectionError) as error:
            raise errors.TryLater(f"Gnocchi does not answer: {keystone.one_line(error)}") from error
        except exceptions.SSLError as error:
            raise errors.OperatorError(f"Gnocchi: {keystone.one_line(error)}") from error
        if response.status_code >= 400:
            return _explain(response)
        try:
            answer = json.loads(
                response.content, parse_float=Decimal, parse_int=Decimal, parse_constant=_refuse
            )
        except ValueError as error:
            raise errors.TryLater(f"Gnocchi's answer is not JSON: {error}") from error
        if answer is None:
            # None is silence, which only a refusal can mean.
            raise errors.TryLater("Gnocchi's answer is null")
        return answer


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no number")


def _explain(response: requests.Response) -> None:
    """Return for silence, raise for anything else."""
    code = response.status_code
    text = _description(response)
    if code == 404 and _SILENCE.search(text):
        return
    if code in (400, 404) and _NO_SUCH_TYPE.search(text):
        return
    if code in _OVERLOADED:
        raise errors.TryLater(f"Gnocchi answered {code}: {text}")
    raise errors.OperatorError(f"Gnocchi refused with {code}: {text}")


def _description(response: requests.Response) -> str:
    """What a refusal says, on one line; Gnocchi answers in JSON, proxies in HTML."""
    try:
        body = response.json()
    except ValueError:
        body = response.text
    if isinstance(body, dict) and "description" in body:
        body = body["description"]
    text = body if isinstance(body, str) else json.dumps(body)
    return " ".join(text.split())[:500]

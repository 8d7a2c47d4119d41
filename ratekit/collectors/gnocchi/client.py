"""The two questions that ratekit asks Gnocchi, and what its refusals mean."""

from __future__ import annotations

import dataclasses
import datetime
import html
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
#: Rows of one answer about resources; Gnocchi's own largest page unless it is configured.
_PAGE = 1000
#: Codes below 500 that may go away when less is asked, or later.
_OVERLOADED = {408, 409, 413, 414, 423, 425, 429}


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
            raise errors.Senseless("Gnocchi's aggregates are not a list")
        return answer

    def attributes(self, resource_type: str) -> frozenset[str] | None:
        """Return the names of a resource type's own attributes; None: no such type."""
        answer = self._ask("GET", f"v1/resource_type/{resource_type}")
        if answer is None:
            return None
        try:
            return frozenset(answer["attributes"])
        except (TypeError, KeyError):
            raise errors.Senseless(
                f"Gnocchi's resource type {resource_type} is senseless"
            ) from None

    def older_revisions(
        self, question: Question, starts: Mapping[str, datetime.datetime]
    ) -> dict[str, bool]:
        """Return which resources have a revision that starts before the given one.

        :param starts: start of a revision, by resource's id
        :returns: True where the answer to ``question`` took an older one into account, and
            so counted the given one from its start only; absent where there is no older one
        """
        older: dict[str, bool] = {}
        todo = [sorted(starts)]
        while todo:
            ids = todo.pop()
            rows = self._history(question.resource_type, ids, max(starts[one] for one in ids))
            if len(rows) >= _PAGE and len(ids) > 1:
                # The page is full, so there may be more.
                todo += [ids[: len(ids) // 2], ids[len(ids) // 2 :]]
                continue
            try:
                for row in rows:
                    self._note(row, question, starts, older)
            except (TypeError, KeyError, ValueError) as error:
                raise errors.Senseless(f"Gnocchi's resources are senseless: {error!r}") from error
        return older

    def _history(self, resource_type: str, ids: list[str], before: datetime.datetime) -> list[Any]:
        rows = self._ask(
            "POST", f"v1/search/resource/{resource_type}",
            data=json.dumps(
                {"and": [{"in": {"id": ids}}, {"<": {"revision_start": before.isoformat()}}]}
            ),
            params={"history": "true", "sort": "revision_start:asc", "limit": _PAGE},
            headers={"Content-Type": "application/json"},
        )  # fmt: skip
        if not isinstance(rows, list):
            raise errors.Senseless("Gnocchi's resources are not a list")
        return rows

    @staticmethod
    def _note(
        row: Any,
        question: Question,
        starts: Mapping[str, datetime.datetime],
        older: dict[str, bool],
    ) -> None:
        id_ = row["id"]
        if datetime.datetime.fromisoformat(row["revision_start"]) >= starts[id_]:
            return
        end = row["revision_end"]
        asked_for = row[question.scope_key] in question.scopes and (
            end is None or datetime.datetime.fromisoformat(end) >= question.start
        )
        older[id_] = older.get(id_, False) or asked_for

    def _ask(self, method: str, url: str, **request: Any) -> Any:
        """Return the parsed answer, None for silence."""
        try:
            with keystone.explained("Keystone, asked for Gnocchi,"):
                headers = {"Accept": "application/json", **request.pop("headers", {})}
                response = self._api.request(
                    url, method, raise_exc=False, headers=headers, **request
                )
        except exceptions.ConnectionTimeout as error:
            raise errors.TryLater(f"Gnocchi took too long: {keystone.one_line(error)}") from error
        except (exceptions.ConnectionFailure, exceptions.UnknownConnectionError) as error:
            raise errors.TryLater(f"Gnocchi does not answer: {keystone.one_line(error)}") from error
        except exceptions.SSLError as error:
            raise errors.Denied(f"Gnocchi: {keystone.one_line(error)}") from error
        if response.status_code >= 400:
            return _explain(response)
        try:
            answer = json.loads(
                response.content, parse_float=Decimal, parse_int=Decimal, parse_constant=_refuse
            )
        except ValueError as error:
            raise errors.Senseless(f"Gnocchi's answer is not JSON: {error}") from error
        if answer is None:
            # None is silence, which only a refusal can mean.
            raise errors.Senseless("Gnocchi's answer is null")
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
    if code in (401, 403):
        raise errors.Denied(f"Gnocchi refused with {code}: {text}")
    if code in _OVERLOADED or code >= 500:
        after = keystone.retry_after(response.headers)
        raise errors.TryLater(f"Gnocchi answered {code}: {text}", after)
    raise errors.OperatorError(f"Gnocchi refused with {code}: {text}")


def _description(response: requests.Response) -> str:
    """What a refusal says, on one line; Gnocchi answers in JSON, proxies in HTML."""
    try:
        body = response.json()
    except ValueError:
        body = response.text
    if isinstance(body, dict) and "description" in body:
        body = body["description"]
    if isinstance(body, dict):
        known = (body.get(key) for key in ("cause", "reason", "detail"))
        body = ": ".join(str(one) for one in known if one) or json.dumps(body)
    text = body if isinstance(body, str) else json.dumps(body)
    if text.lstrip().startswith("<"):
        text = html.unescape(re.sub(r"<[^>]*>", " ", text))
    return " ".join(text.split())[:500]

"""``openstack rating``, CloudKitty's client, against a real Keystone and a running ratekit-api."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from ratekit.storage.sql import open_storage
from tests.contract import given
from tests.judges import environments, live_api
from tests.judges.cli_commands import COMMANDS, HIDDEN, PRICES, REFUSED, Command
from tests.judges.conftest import FULL
from tests.judges.identity import Cloud
from tests.stack.keystone import User

_RUNNER = environments.SCRIPTS / "cli_runner.py"
#: How many commands each version of the API has.
COUNTS = {1: 48, 2: 53}
CASES = [
    pytest.param(version, role, command, id=f"v{version}-{role}-{command.words} {index}")
    for version in COUNTS
    for role in ("admin", "member")
    for index, command in enumerate(COMMANDS)
    if version in command.versions
]


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows, if it printed JSON."""
        answer: Any = json.loads(self.out)
        return answer if isinstance(answer, list) else [answer]


Results = Mapping[tuple[int, str, Command], Result]


@pytest.fixture(scope="module")
def results(keystone: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Run all commands, as an administrator and as a member of alpha."""
    folder = tmp_path_factory.mktemp("cli")
    url = live_api.write_conf(folder, "auth_strategy = keystone" + keystone.conf)
    _rate(url, keystone.project_ids)
    file = folder / "frames.json"
    file.write_text('{"dataframes": []}')
    names = {**{name: keystone.project_ids[name] for name in PRICES}, "file": str(file)}
    with keystone.serve(folder), ThreadPoolExecutor(2) as pool:
        admin = pool.submit(
            # One after the other: both create a service of the same name.
            lambda: [_run(keystone, keystone.admin, version, names) for version in COUNTS]
        )
        member = [
            pool.submit(_run, keystone, keystone.members["alpha"], version, names)
            for version in COUNTS
        ]
        runs = {"admin": admin.result(), "member": [future.result() for future in member]}
    return {
        (version, role, command): result
        for role, by_version in runs.items()
        for version, by_command in zip(COUNTS, by_version, strict=True)
        for command, result in by_command.items()
    }


def _rate(url: str, project_ids: Mapping[str, str]) -> None:
    """Store one hour of each project."""
    storage = open_storage(url, scope_key="project_id", fetcher="static", collector="gnocchi")
    states = given.list_scopes(storage, *(project_ids[name] for name in PRICES))
    series = [
        given.build_series(project_ids[name], [("1", str(price))]) for name, price in PRICES.items()
    ]
    storage.ledger.commit(given.batch(states, *series, periods=given.window(1)))


def _run(
    cloud: Cloud, user: User, version: int, names: Mapping[str, str]
) -> Mapping[Command, Result]:
    commands = [command for command in COMMANDS if version in command.versions]
    run = _run_apart if FULL else _run_together
    # A member has nothing that an earlier command has created.
    known = names if user is cloud.admin else {**dict.fromkeys(_created(), "some-id"), **names}
    results = run(commands, known, _environment(cloud, user, version))
    return dict(zip(commands, results, strict=True))


def _created() -> set[str]:
    return {word for command in COMMANDS for word in command.keep}


def _environment(cloud: Cloud, user: User, version: int) -> dict[str, str]:
    return {
        "OS_RATING_API_VERSION": str(version),
        "OS_AUTH_URL": cloud.url,
        "OS_USERNAME": user.name,
        "OS_PASSWORD": user.password,
        "OS_PROJECT_NAME": user.project,
        "OS_USER_DOMAIN_ID": "default",
        "OS_PROJECT_DOMAIN_ID": "default",
        "OS_IDENTITY_API_VERSION": "3",
    }


def _words(command: Command, names: Mapping[str, str]) -> list[str]:
    """Return the arguments with the names that are known; the runner knows the rest."""
    words = []
    for word in command.argv:
        for name, value in names.items():
            word = word.replace(f"{{{name}}}", value)
        words.append(word)
    return words


def _run_together(
    commands: Sequence[Command],
    names: Mapping[str, str],
    variables: Mapping[str, str],
) -> list[Result]:
    """Run commands in one process."""
    steps = [{"argv": _words(command, names), "keep": dict(command.keep)} for command in commands]
    python = str(environments.programs("cli") / "python")
    answer = environments.run([python, str(_RUNNER)], 600, json.dumps(steps), variables=variables)
    assert answer.returncode == 0, answer.stderr
    return [Result(**result) for result in json.loads(answer.stdout)]


def _run_apart(
    commands: Sequence[Command],
    names: Mapping[str, str],
    variables: Mapping[str, str],
) -> list[Result]:
    """Run each command in a process of its own, as people do."""
    known = dict(names)
    results = []
    for command in commands:
        result = _run_process(_words(command, known), variables)
        if result.code == 0:
            known |= {word: result.rows[0][column] for word, column in command.keep.items()}
        results.append(result)
    return results


def _run_process(argv: Sequence[str], variables: Mapping[str, str]) -> Result:
    program = str(environments.programs("cli") / "openstack")
    answer = environments.run([program, *argv], 120, variables=variables)
    return Result(answer.returncode, answer.stdout, answer.stderr)


@pytest.mark.parametrize("version", COUNTS)
def test_every_command_is_judged(version: int) -> None:
    python = str(environments.programs("cli") / "python")
    answer = environments.run([python, str(_RUNNER), str(version)], 60)
    names = json.loads(answer.stdout)
    assert len(names) == COUNTS[version]
    table = {command.words for command in COMMANDS if version in command.versions}
    assert sorted(names) == sorted(table)


@pytest.mark.parametrize(("version", "role", "command"), CASES)
def test_a_command_does_what_the_table_says(
    version: int, role: str, command: Command, results: Results
) -> None:
    result = results[version, role, command]
    print(f"{' '.join(command.argv)}: {result.code} {command.reason}")
    if role == "member" and not command.member:
        assert (result.code, result.out) == (1, ""), result
        assert (HIDDEN if command.reads_first else REFUSED) in result.err or REFUSED in result.err
        return
    if command.failure is not None:
        assert result.code == 1, result
        assert command.failure in result.err
        assert command.reason.startswith("D")
        return
    assert result.code == 0, result
    check = command.check if role == "admin" else command.member_check
    if check is not None:
        assert check(result.rows), result.out


def test_a_process_of_its_own_does_the_same(keystone: Cloud, tmp_path: pathlib.Path) -> None:
    url = live_api.write_conf(tmp_path, "auth_strategy = keystone" + keystone.conf)
    _rate(url, keystone.project_ids)
    words = {"module get", "summary get", "module disable", "scope patch"}
    with keystone.serve(tmp_path):
        for command in COMMANDS:
            if command.words in words and 2 in command.versions:
                argv = _words(command, {name: keystone.project_ids[name] for name in PRICES})
                result = _run_process(argv, _environment(keystone, keystone.admin, 2))
                assert result.code == (0 if command.failure is None else 1), result


@pytest.mark.parametrize("version", COUNTS)
def test_the_last_price_of_what_is_used_is_kept_and_the_client_says_why(
    keystone: Cloud, tmp_path: pathlib.Path, version: int
) -> None:
    url = live_api.write_conf(tmp_path, "auth_strategy = keystone" + keystone.conf)
    _rate(url, keystone.project_ids)
    commands = [
        Command("hashmap service create", "instance", keep={"service": "Service ID"}),
        Command("hashmap mapping create", "0.1 -s {service}", keep={"mapping": "Mapping ID"}),
        Command("hashmap mapping update", "{mapping} --cost 0"),
        Command("hashmap mapping delete", "{mapping}", lists=False),
        Command("hashmap service delete", "{service}", lists=False),
    ]
    with keystone.serve(tmp_path):
        results = _run_together(commands, {}, _environment(keystone, keystone.admin, version))
    assert [result.code for result in results] == [0, 0, 1, 1, 1], results
    for result in results[2:]:
        assert "would cost nothing from" in result.err
        assert "or use ratekit hashmap apply --allow-free" in result.err
        assert "(HTTP 409)" in result.err

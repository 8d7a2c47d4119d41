"""Every command of ``openstack rating``, as an administrator and as a member, and its verdict.

A reason starts with the number of a deviation in doc/api.rst. The words of a command may name what
an earlier one has created: ``{service}``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

Rows = list[dict[str, Any]]
Check = Callable[[Rows], object]

REFUSED = "is not allowed for you"
#: What the client says in place of a refusal that ends a command's second request within a first.
HIDDEN = "'NoneType' object has no attribute 'text'"
#: The hour that is rated, and its prices by project.
BEGIN, END = "2026-03-01T00:00:00", "2026-03-01T01:00:00"
PRICES = {"alpha": Decimal(3), "beta": Decimal(5)}
_RANGE = f"-b {BEGIN} -e {END}"
_ZONED = f"-b {BEGIN}+00:00 -e {END}+00:00"


@dataclasses.dataclass(frozen=True, eq=False, slots=True)
class Command:
    """A command and what it comes to.

    :ivar words: of the command, without ``rating``
    :ivar arguments: of the command
    :ivar lists: it prints rows, as JSON if it is asked to
    :ivar check: of the rows that an administrator gets; false: they are wrong
    :ivar failure: text of the administrator's refusal; None: it succeeds
    :ivar reason: why it fails
    :ivar member: a member may use it, and sees what ``member_check`` says
    :ivar versions: of the API
    :ivar reads_first: the client reads the thing first, and hides why that is refused
    :ivar keep: what later commands name: word -> column of the first row
    """

    words: str
    arguments: str = ""
    lists: bool = True
    check: Check | None = None
    failure: str | None = None
    reason: str = ""
    member: bool = False
    member_check: Check | None = None
    versions: Sequence[int] = (1, 2)
    reads_first: bool = False
    keep: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def argv(self) -> list[str]:
        """Return the arguments of ``openstack``."""
        shape = ["-f", "json"] if self.lists else []
        words = [*self.words.split(), *self.arguments.split(), *shape]
        return ["rating", *words]


def _column(name: str, *values: object) -> Check:
    """Return a check that the rows have these values in a column, in any order."""
    return lambda rows: sorted(map(str, (row[name] for row in rows))) == sorted(map(str, values))


def _sum(name: str, total: Decimal) -> Check:
    return lambda rows: sum(Decimal(str(row[name])) for row in rows) == total


def _first(**values: object) -> Check:
    return lambda rows: all(rows[0][name.replace("_", " ")] == v for name, v in values.items())


def _prices(rows: Rows) -> list[Decimal]:
    return [Decimal(part["rating"]) for row in rows for part in row["Resources"]]


_NO_MAPPING = "D12: there are no mappings"
_ONE_COLLECTOR = "D12: ratekit.conf names the collector"
_MODULES = "D10: ratekit.conf decides which modules rate"
_SCRIPTS = "D11: there are no scripts"
_ALL = sum(PRICES.values(), Decimal())

COMMANDS = (
    # What is rated.
    Command("info config get", check=lambda rows: "instance" in str(rows), member=True),
    Command("info metric list", check=lambda rows: len(rows) > 3, member=True),
    Command("info metric get", "instance", check=_first(Metric="instance"), member=True),
    # Collectors.
    Command("collector-mapping list", check=lambda rows: rows == []),
    Command("collector-mapping get", "instance", failure="No mapping", reason=_NO_MAPPING),
    Command("collector-mapping create", "gnocchi instance", failure="one collector",
            reason=_NO_MAPPING),
    Command("collector-mapping delete", "instance", lists=False, failure="No mapping",
            reason=_NO_MAPPING),
    Command("collector state get", "gnocchi", check=_first(State=True)),
    Command("collector enable", "gnocchi", check=_first(State=True)),
    Command("collector disable", "gnocchi", failure="[collect] collector", reason=_ONE_COLLECTOR),
    # Modules.
    Command("module list", check=_column("Module", "hashmap", "noop", "pyscripts")),
    Command("module get", "hashmap", check=_first(Module="hashmap", Enabled=True, Priority=1)),
    Command("module enable", "hashmap", lists=False, reads_first=True),
    Command("module disable", "hashmap", lists=False, failure="[rating] modules",
            reason=_MODULES, reads_first=True),
    Command("module set priority", "hashmap 1", lists=False, reads_first=True),
    Command("pyscript list", check=lambda rows: rows == []),
    Command("pyscript get", "some-id", failure="No such script", reason=_SCRIPTS),
    Command("pyscript create", "name print", failure="does not run Python", reason=_SCRIPTS),
    Command("pyscript update", "some-id -n name", failure=HIDDEN, reason=_SCRIPTS,
            reads_first=True),
    Command("pyscript delete", "some-id", lists=False, failure="No such script", reason=_SCRIPTS),
    # Price rules.
    Command("hashmap mapping-types list", check=_column("Mapping types", "flat", "rate")),
    Command("hashmap service create", "volume.size", keep={"service": "Service ID"},
            check=_first(Name="volume.size")),
    Command("hashmap service list", check=_column("Name", "volume.size")),
    Command("hashmap service get", "{service}", check=_first(Name="volume.size")),
    Command("hashmap field create", "{service} volume_type", keep={"field": "Field ID"},
            check=_first(Name="volume_type")),
    Command("hashmap field list", "{service}", check=_column("Name", "volume_type")),
    Command("hashmap field get", "{field}", check=_first(Name="volume_type")),
    Command("hashmap group create", "storage", keep={"group": "Group ID"},
            check=_first(Name="storage")),
    Command("hashmap group list", check=_column("Name", "storage")),
    Command("hashmap mapping create", "0.25 --field-id {field} -g {group} --value ssd",
            keep={"mapping": "Mapping ID"}, check=_first(Cost="0.25", Type="flat")),
    Command("hashmap mapping list", "--field-id {field}", check=_column("Cost", "0.25")),
    Command("hashmap mapping get", "{mapping}", check=_first(Value="ssd", Cost="0.25")),
    Command("hashmap group mappings get", "{group}", check=_column("Cost", "0.25")),
    Command("hashmap mapping update", "{mapping} --cost 0.1", check=_first(Cost="0.1"),
            reads_first=True),
    Command("hashmap threshold create", "10 0.9 -s {service} -g {group} -t rate",
            keep={"threshold": "Threshold ID"}, check=_first(Cost="0.9", Level="10")),
    Command("hashmap threshold list", "-s {service}", check=_column("Cost", "0.9")),
    Command("hashmap threshold get", "{threshold}", check=_first(Level="10", Type="rate")),
    Command("hashmap group thresholds get", "{group}", check=_column("Cost", "0.9")),
    Command("hashmap threshold update", "{threshold} --cost 0.8", check=_first(Cost="0.8"),
            reads_first=True),
    Command("hashmap threshold delete", "{threshold}", lists=False),
    Command("hashmap mapping delete", "{mapping}", lists=False),
    Command("hashmap group delete", "{group}", lists=False),
    Command("hashmap field delete", "{field}", lists=False),
    Command("hashmap service delete", "{service}", lists=False),
    # Bills.
    Command("report tenant list", f"{_RANGE}", check=lambda rows: len(rows) == 2),
    Command("summary get", _RANGE + " -a", versions=(1,), check=_sum("Rate", _ALL)),
    Command("summary get", _RANGE, versions=(1,),
            member=True, member_check=_sum("Rate", PRICES["alpha"])),
    Command("total get", _RANGE + " -a", versions=(1,), check=_sum("Total", _ALL)),
    Command("total get", _RANGE, versions=(1,), member=True,
            member_check=_sum("Total", PRICES["alpha"])),
    Command("dataframes get", _RANGE, versions=(1,), member=True,
            member_check=lambda rows: _prices(rows) == [PRICES["alpha"]]),
    Command("summary get", _ZONED + " -g project_id", versions=(2,), check=_sum("Rate", _ALL),
            member=True, member_check=_sum("Rate", PRICES["alpha"])),
    Command("dataframes get", _ZONED, versions=(2,), check=_sum("Price", _ALL), member=True,
            member_check=_sum("Price", PRICES["alpha"])),
    Command("dataframes add", "{file}", versions=(2,), lists=False,
            failure="takes no frames from elsewhere",
            reason="D13: frames from elsewhere are refused"),
    # Scopes and tasks.
    Command("scope state get", versions=(2,), check=lambda rows: len(rows) == 2),
    Command("scope state reset", f"{BEGIN}+00:00 --scope-id {{alpha}}", versions=(2,),
            lists=False),
    Command("tasks reprocessing create",
            f"--scope-id {{beta}} --start-reprocess-time {BEGIN}+00:00 "
            f"--end-reprocess-time {END}+00:00 --reason corrected", versions=(2,)),
    Command("tasks reprocessing get", versions=(2,),
            check=lambda rows: {"corrected"} <= {row["Reason"] for row in rows}),
    Command("scope patch", "--scope-id {beta} --active 0", versions=(2,), lists=False,
            failure="'active': False", reason="D2: the client prints the scope and exits with 1"),
)  # fmt: skip

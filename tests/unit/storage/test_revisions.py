"""Which revisions there are."""

from __future__ import annotations

from alembic.config import Config
from alembic.script import ScriptDirectory

from ratekit.storage import revisions


def test_they_are_those_that_alembic_finds_in_their_order() -> None:
    config = Config()
    config.set_main_option("script_location", "ratekit.storage:migrations")
    scripts = ScriptDirectory.from_config(config)
    assert revisions.revisions() == [
        script.revision for script in reversed(list(scripts.walk_revisions()))
    ]
    assert revisions.head() == scripts.get_current_head()

"""Settings that an administrator may change while the platform runs."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from webfront.activity.term import Term
from webfront.admin.main import main
from webfront.changeable.table import LOGS_DAYS, SETTINGS
from webfront.changeable.values import Values
from webfront.database.models import Fact, LogChunk, Setting
from webfront.errors import InvalidInput, NotFound
from webfront.jobs.retention import forget_old_logs
from webfront.settings import Settings


def test_a_row_stands_only_where_a_setting_differs_from_its_default(values: Values, database: object) -> None:
    assert values.get(LOGS_DAYS) == LOGS_DAYS.default == 30
    assert values.set("logs.days", " 7 ")
    assert not values.set("logs.days", "7")
    assert [(row.name, row.value) for row in Setting.select()] == [("logs.days", "7")]
    assert {one.name: one.value for one in values.all() if one.value != one.default} == {"logs.days": 7}
    assert values.reset("logs.days")
    assert not values.reset("logs.days")
    assert values.set("logs.days", "8")
    assert values.set("logs.days", "30")
    assert not Setting.select().exists()
    told = [row.data for row in Fact.select().where(Fact.kind == "setting.change").order_by(Fact.id)]
    assert [(one["from"], one["to"]) for one in told] == [(30, 7), (7, 30), (30, 8), (8, 30)]


@pytest.mark.parametrize("text", ["", "0", "-1", "36501", "1.5", "a week", "9" * 30, "٣"])
def test_a_value_that_cannot_be_is_refused_with_its_bounds(values: Values, database: object, text: str) -> None:
    with pytest.raises(InvalidInput, match=r"logs\.days must be a whole number from 1 to 36500"):
        values.set("logs.days", text)
    assert not Setting.select().exists()


def test_a_wrong_name_is_answered_with_the_nearest(values: Values, database: object) -> None:
    with pytest.raises(NotFound, match=r"no setting log\.days\. Did you mean logs\.days\?"):
        values.set("log.days", "7")
    with pytest.raises(NotFound, match=r"There are: inputs\.days, results\.days, "):
        values.reset("xyz")


def test_what_another_release_wrote_counts_as_the_default(values: Values, database: object) -> None:
    Setting.create(name="logs.days", value="P7D")
    Setting.create(name="of.a.later.release", value="1")
    assert values.get(LOGS_DAYS) == 30
    assert len(values.all()) == len(SETTINGS)
    assert values.set("logs.days", "7")
    assert values.get(LOGS_DAYS) == 7


def test_the_variable_that_there_was_is_the_default(settings: Settings, database: object) -> None:
    (facts,) = (
        one for one in Values(dataclasses.replace(settings, facts_keep_days=400)).all() if one.name == "facts.days"
    )
    assert (facts.value, facts.default) == (400, 400)


def test_what_was_set_counts_at_the_next_run(
    term: Term, values: Values, ended: Callable[..., str], settings: Settings
) -> None:
    ended(10)
    assert forget_old_logs(term, values=values, consumers=()) == ""
    Values(settings).set("logs.days", "9")  # another process's
    assert forget_old_logs(term, values=values, consumers=()).startswith("removed 1 logs")
    assert not LogChunk.select().exists()


@pytest.fixture
def admin(
    settings: Settings, database: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, dict[str, object]]]:
    """Runs `skerry-admin settings ...`; its exit code and what it said."""
    for name in ("state_dir", "share_dir", "broker_password_file", "database_password_file"):
        if (path := getattr(settings, name)) is not None:
            monkeypatch.setenv(f"SKERRY_{name.upper()}", str(path))
    for name in ("broker_url", "broker_admin_url", "database_url"):
        monkeypatch.setenv(f"SKERRY_{name.upper()}", getattr(settings, name))

    def run(*arguments: str) -> tuple[int, dict[str, object]]:
        code = main(["settings", *arguments])
        return code, json.loads(capsys.readouterr().out)

    return run


def test_the_command_lists_sets_and_resets(admin: Callable[..., tuple[int, dict[str, object]]], tmp_path: Path) -> None:
    code, said = admin("list")
    listed = said["settings"]
    assert code == 0
    assert isinstance(listed, list)
    assert listed[2] == {
        "name": "logs.days", "value": 30, "default": 30, "least": 1, "most": 36500,
        "words": "days after a job's end for which its attempts' logs are kept",
    }  # fmt: skip
    changed = {"changed": True, "setting": "logs.days", "value": 7}
    assert admin("set", "logs.days", "7", "--check") == (0, changed)
    assert admin("set", "logs.days", "7") == (0, changed)
    assert admin("set", "logs.days", "7") == (0, changed | {"changed": False})
    assert Fact.get(Fact.kind == "setting.change").controller == "admin"
    assert admin("reset", "logs.days") == (0, {"changed": True, "setting": "logs.days", "value": 30})
    code, said = admin("set", "result.days", "7")
    assert (code, said["error"]) == (
        1, {"code": "not_found", "message": "There is no setting result.days. Did you mean results.days?", "advice": ""}
    )  # fmt: skip

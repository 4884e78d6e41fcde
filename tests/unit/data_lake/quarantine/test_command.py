"""``tidemill quarantine`` over a small lake and librdkafka's own broker."""

import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from data_lake import own_tables
from data_lake.sql import connect
from tests.unit.data_lake.quarantine.conftest import TOPIC, Quarantine, encode, transaction
from tidemill.commands import quarantine as commands
from tidemill.config.errors import TidemillError

BAD = [encode(transaction(record, unit_price=-1)) for record in "abc"]


@pytest.fixture
def laid(quarantine: Quarantine, monkeypatch: pytest.MonkeyPatch) -> Quarantine:
    """Three messages that break the contract, and one that is cut off, the next day."""
    monkeypatch.setattr(commands, "load_settings", lambda: quarantine.settings)
    for value in BAD:
        quarantine.lay(value)
    quarantine.offset = 20
    quarantine.lay(b'{"half', "not_json", key=None)
    (quarantine.folder / "fix.py").write_text(
        "import json\n\ndef fix(value, key, headers):\n"
        "    if value.endswith(b'half'):\n        return None\n"
        "    event = json.loads(value)\n    event['data']['unit_price'] = 3\n    return event\n"
    )
    return quarantine


def run(*arguments: str) -> Result:
    return CliRunner().invoke(commands.command, list(arguments))


def rows(*arguments: str) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def refusal(*arguments: str) -> str:
    error = run(*arguments).exception
    assert isinstance(error, TidemillError)
    return str(error)


def test_stats_count_by_reason_and_by_what_became_of_the_messages(laid: Quarantine) -> None:
    before = {count["reason"]: (count["messages"], count["open"]) for count in rows("stats")}
    assert before == {"schema": (3, 3), "not_json": (1, 1)}
    run("replay", TOPIC, "--map", str(laid.folder / "fix.py"), "--offset", "0", "--partition", "0", "--by", "ada")
    laid.hold(laid.sent()[0].value() or b"")
    run("replay", TOPIC, "--map", str(laid.folder / "fix.py"), "--offset", "1", "--partition", "0", "--by", "ada")
    (schema,) = rows("stats", TOPIC, "--reason", "schema")
    assert {state: schema[state] for state in ("open", "in_silver", "on_its_way", "refused_again", "known")} == {
        "open": 1,
        "in_silver": 1,
        "on_its_way": 1,
        "refused_again": 0,
        "known": 0,
    }
    assert (schema["first"], schema["last"]) == ("2024-05-02 12:00:00+00:00", "2024-05-02 14:00:00+00:00")


def test_a_replayed_event_that_the_stream_refuses_is_counted_as_such(laid: Quarantine) -> None:
    run("replay", TOPIC, "--map", str(laid.folder / "fix.py"), "--offset", "0", "--partition", "0", "--by", "ada")
    (sent,) = laid.sent()
    laid.lay(sent.value(), "conflict", partition=sent.partition(), offset=sent.offset() or 0, generation=1)
    (schema,) = rows("stats", TOPIC, "--reason", "schema")
    assert (schema["refused_again"], schema["open"]) == (1, 2)


def test_stats_by_day_have_a_line_a_day(laid: Quarantine) -> None:
    days = [(count["day"], count["reason"], count["messages"]) for count in rows("stats", "--by-day")]
    assert days == [("2024-05-02", "schema", 3), ("2024-05-03", "not_json", 1)]
    shown = run("stats", "--by-day").stdout
    assert [cell in shown for cell in ("2024-05-03", "not_json", "refused again")] == [True, True, True]


def test_show_has_the_newest_messages_as_they_arrived(laid: Quarantine) -> None:
    newest = rows("show", TOPIC, "--limit", "2")
    assert [(message["offset"], message["value"]) for message in newest] == [(20, '{"half'), (2, BAD[2].decode())]
    assert (newest[0]["key"], newest[0]["reason"], newest[0]["state"]) == (None, "not_json", "open")
    shown = run("show", TOPIC, "--since", "2024-05-03").stdout
    assert '{"half' in shown
    assert "schema" not in shown


def test_show_says_where_the_replayed_event_lies(laid: Quarantine) -> None:
    run("replay", TOPIC, "--map", str(laid.folder / "fix.py"), "--by", "ada")
    (sent,) = [message for message in laid.sent() if message.headers()[0][1].endswith(b"/0/1")]
    (message,) = rows("show", TOPIC, "--partition", "0", "--offset", "1")
    assert (message["new_partition"], message["new_offset"]) == (sent.partition(), sent.offset())
    assert (message["replayed_by"], message["state"]) == ("ada", "on its way")
    assert [message["offset"] for message in rows("show", TOPIC, "--state", "open")] == [20]


def test_replay_tells_what_it_did_and_a_dry_run_what_it_would(laid: Quarantine) -> None:
    fix = str(laid.folder / "fix.py")
    planned = run("replay", TOPIC, "--map", fix, "--dry-run").stdout
    assert planned == (
        f"{TOPIC}: 4 messages of quarantine judged again\n"
        "  3 would be sent\n"
        "  0 whose event silver has, or gets from another of them\n"
        "  1 left where they are, since the fix gave None\n"
    )
    assert laid.sent() == []
    done = rows("replay", TOPIC, "--map", fix, "--by", "ada")
    assert (done["sent"], done["plan"]["left"], done["is_dry_run"]) == (3, 1, False)
    again = run("replay", TOPIC).stdout
    assert "  0 sent\n" in again
    assert "  1 refused again: not_json\n    partition 0 offset 20: : unexpected end of data" in again


def test_a_dry_run_with_a_fix_that_fails_tells_and_exits_with_an_error(laid: Quarantine) -> None:
    fix = laid.folder / "broken.py"
    fix.write_text("def fix(value, key, headers):\n    return len(value)\n")
    told = refusal("replay", TOPIC, "--map", str(fix), "--dry-run")
    assert told.startswith("the fix failed on 4 of 4 messages, and nothing was sent: partition 0 offset 0: gave")
    assert told.endswith(
        "partition 0 offset 20: gave 6, a int: give the event as a dict, or None. Let it give None "
        "for what it cannot mend"
    )


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "cannot be read: No such file or directory"),
        ("x = 1", "has no function fix: write `def fix(value, key, headers)`, which gives a CloudEvent or None"),
        ("fix = 7", "has no function fix"),
        ("x = 1\nraise ValueError('half done')", r"cannot be run: ValueError: half done (line 2)"),
        ("def fix(:", "cannot be run: SyntaxError: invalid syntax"),
    ],
    ids=["missing", "no function", "no callable", "raises", "no Python"],
)
def test_a_file_without_a_usable_fix_is_told(laid: Quarantine, content: str | None, told: str) -> None:
    file = laid.folder / "other.py"
    if content is not None:
        file.write_text(content)
    message = refusal("replay", TOPIC, "--map", str(file))
    assert message.startswith(f"{file} ")
    assert told in message
    assert laid.sent() == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--since", "2024-05-02", "--until", "2024-05-02"], "nothing came from 2024-05-02 00:00:00 to before"),
        (["--offset", "4"], "offset 4 is of one of the partitions: say which (--partition)"),
    ],
    ids=["no time", "no partition"],
)
def test_a_selection_that_means_nothing_is_refused(laid: Quarantine, arguments: list[str], told: str) -> None:
    assert told in refusal("replay", TOPIC, *arguments)


def test_names_that_are_close_are_suggested(laid: Quarantine) -> None:
    assert "no reason 'shema'; did you mean 'schema'?" in run("replay", TOPIC, "--reason", "shema").stderr
    assert "no state 'opn'; did you mean 'open'?" in run("show", TOPIC, "--state", "opn").stderr
    assert "no contract for topic 'shop.x'" in refusal("stats", "shop.x")


def test_a_topic_that_never_ran_has_no_counts_and_nothing_to_replay(laid: Quarantine) -> None:
    assert rows("stats", "shop.click.v1") == []
    assert "table quarantine/shop.click.v1 does not exist" in refusal("show", "shop.click.v1")


def test_the_record_is_a_table_for_sql(laid: Quarantine) -> None:
    run("replay", TOPIC, "--map", str(laid.folder / "fix.py"), "--by", "ada")
    sql = "SELECT state, count(*), max(replayed_by) FROM control.quarantine_replays GROUP BY 1 ORDER BY 1"
    with connect(laid.settings, sql) as connection:
        assert connection.execute(sql).fetchall() == [("claimed", 3, "ada"), ("sent", 3, "ada")]
    assert Path(own_tables.QUARANTINE_REPLAYS.path(laid.settings)).is_dir()


def test_every_command_has_its_options_explained() -> None:
    for command in (commands.show, commands.stats, commands.replay):
        options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
        assert all(option.help for option in options), command.name

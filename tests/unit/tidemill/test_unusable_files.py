"""Files that cannot be used, as a person is told of them."""

import sys
from pathlib import Path

import pytest

from tidemill import cli


def said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    monkeypatch.setattr(sys, "argv", ["tidemill", *words])
    monkeypatch.setattr(cli, "raise_on_signals", lambda: None)
    monkeypatch.setattr(cli, "_enter", lambda: None)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    return capsys.readouterr().err


@pytest.mark.parametrize("words", [["status"], ["up", "redis"], ["doctor"]], ids=" ".join)
def test_a_home_that_cannot_be_made_is_told_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    (tmp_path / "file").touch()
    home = tmp_path / "file" / "home"
    monkeypatch.setenv("TIDEMILL_HOME", str(home))
    lines = said(monkeypatch, capsys, *words).splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(f"tidemill: {home}/")
    assert lines[0].endswith(
        f": Not a directory; the home folder {home} must be one that you may write to: mend that, or name another in "
        "TIDEMILL_HOME"
    )


def test_a_file_outside_the_home_is_named_without_advice_about_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TIDEMILL_HOME", str(tmp_path / "home"))

    def fail(**_: object) -> None:
        raise PermissionError(13, "Permission denied", "/srv/model.yaml")

    monkeypatch.setattr(cli, "cli", fail)
    assert said(monkeypatch, capsys, "up") == "tidemill: /srv/model.yaml: Permission denied\n"


def test_an_error_of_the_system_that_is_of_no_file_keeps_its_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: object) -> None:
        raise ConnectionResetError(104, "Connection reset by peer")

    monkeypatch.setattr(cli, "cli", fail)
    monkeypatch.setattr(cli, "raise_on_signals", lambda: None)
    with pytest.raises(ConnectionResetError):
        cli.main()

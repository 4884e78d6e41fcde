import shlex
import tempfile
from pathlib import Path

import pytest

from data_lake.spark import driver_java_options
from tidemill.config import Settings


@pytest.mark.parametrize("name", ["tmp", "a space and ö", 'say "so"', "back\\slash"])
def test_javas_temporary_files_are_where_the_processs_are(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / name))
    assert f"-Djava.io.tmpdir={tmp_path / name}" in shlex.split(driver_java_options(Settings(home=tmp_path)))


def test_a_folder_with_a_comma_would_be_two_to_spark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "a,b"))
    assert "java.io.tmpdir" not in driver_java_options(Settings(home=tmp_path))

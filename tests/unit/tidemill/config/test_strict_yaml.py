"""What is no YAML, or says a key twice, is said with its line; whatever else the file holds."""

from pathlib import Path

import pytest
import yaml

from tidemill.config.strict_yaml import read


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"a: 1\nb: {c: 1, c: 2}\n", "key 'c' is there twice"),
        (b"a: 1\nb: 2026-02-30\n", "'2026-02-30' is no value: day is out of range for month"),
        (b"a: 1\nb: !!int ''\n", "'' is no value: "),
        (b"a: 1\nb: !!bool x\n", "'x' is no value: "),
        (b"a: 1\nb: !!timestamp x\n", "'x' is no value: "),
        (b'a: 1\nb: "\\ud800"\n', r"'\ud800' is no value: "),
        (b"a: 1\nb: c\n--- d\n", "expected a single document"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_line(raw: bytes, message: str, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(raw)
    with pytest.raises(yaml.YAMLError) as error:
        read(file)
    assert message in str(error.value)
    assert "line 2" in str(error.value) or "line 3" in str(error.value)


@pytest.mark.parametrize("raw", [b"a: caf\xe9", b"a: \0", b"[" * 5_000], ids=["Latin-1", "NUL", "nested"])
def test_what_is_no_text_is_said_to_be_none(raw: bytes, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(raw)
    with pytest.raises(yaml.YAMLError):
        read(file)


def test_an_empty_file_has_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").touch()
    assert read(tmp_path / "a.yaml") is None

import threading
from pathlib import Path

from hypothesis import HealthCheck, given
from hypothesis import settings as given_settings
from hypothesis import strategies as st

from tidemill.stack.logs import follow, last_lines

LINES = st.lists(st.text(st.characters(exclude_categories=["C", "Z"]), max_size=3000), max_size=30)


@given_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=LINES, count=st.integers(1, 40))
def test_the_last_lines_are_those_of_the_whole_file(tmp_path: Path, lines: list[str], count: int) -> None:
    path = tmp_path / "a.log"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    assert last_lines(path, count) == "\n".join(lines[-count:])


def test_a_missing_log_has_no_lines(tmp_path: Path) -> None:
    assert last_lines(tmp_path / "none.log") == ""


def test_bytes_that_are_no_text_are_shown_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"before \xff after\n")
    assert last_lines(path) == "before � after"


def test_following_goes_on_in_the_file_that_replaces_a_rotated_one(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text("old\n")
    lines, seen = follow(path, pause_s=0.01), threading.Event()

    def write(text: str) -> None:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)

    def write_until_seen() -> None:
        while not seen.wait(0.05):
            write("first é\n")

    writer = threading.Thread(target=write_until_seen)
    writer.start()
    first = next(lines)
    seen.set()
    writer.join()
    path.rename(tmp_path / "a.log.1")
    write("second\n")
    assert (first, next(line for line in lines if line != first)) == ("first é\n", "second\n")

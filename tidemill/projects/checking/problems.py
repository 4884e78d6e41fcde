"""What is wrong, and where: a file with a line, or a key in it."""

import ast
import os
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, order=True)
class Problem:
    """``line`` counts from 1; 0 when only the file, or the key that ``message`` names, is known."""

    file: str
    line: int
    message: str

    def shown(self) -> str:
        """With the file as one who stands in the working directory would call it."""
        file = os.path.relpath(self.file) if Path(self.file).is_relative_to(Path.cwd()) else self.file
        return f"{file}:{self.line}: {self.message}" if self.line else f"{file}: {self.message}"


def line_of(file: Path, text: str) -> int:
    """The first line of ``file`` that has ``text``; 0 where none has, or nobody can read it."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return 0
    return next((number for number, line in enumerate(lines, 1) if text in line), 0)


def line_of_constant(file: Path, *constants: object) -> int:
    """The first line of a Python file where the first of these constants stands that stands there at all."""
    tree = ast.parse(file.read_bytes())
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    for constant in constants:
        lines = [node.lineno for node in nodes if node.value == constant and type(node.value) is type(constant)]
        if lines:
            return min(lines)
    return 0


def of_exception(file: Path, error: BaseException) -> Problem:
    """What was raised while ``file`` was run, at the file's own last line on the way there."""
    if isinstance(error, SyntaxError) and error.filename == str(file):
        return Problem(str(file), error.lineno or 0, f"SyntaxError: {error.msg}")
    frames = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
    name = "" if type(error).__module__.startswith(OURS) else f"{type(error).__name__}: "
    return Problem(str(file), (frames[-1] if frames else 0) or 0, f"{name}{error}")


OURS = ("feature_store.", "ml_modeling.", "tidemill.")


def split(message: str, file: Path) -> Iterator[Problem]:
    """Each of the sentences about ``file`` that an error has joined by semicolons."""
    start = f"{file}: "
    for part in message.split(f"; {start}"):
        yield Problem(str(file), 0, part.removeprefix(start))

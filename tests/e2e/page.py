"""The commands of a page of the docs, as a person who follows it types them."""

import logging
import os
import re
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tidemill.config.settings import REPO

PAGE = REPO / "docs" / "first-use-case.md"
BLOCK = re.compile(r"^```console project\n(.*?)^```", re.MULTILINE | re.DOTALL)
TIMEOUT_S = 600
logger = logging.getLogger(__name__)


def commands(page: Path = PAGE) -> list[str]:
    """What stands after each ``$`` in the page's blocks ``console project``, in order."""
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]


@dataclass(frozen=True)
class Said:
    """What a command printed before it ended well, after so many ``seconds``."""

    command: str
    seconds: float
    stdout: str
    stderr: str


@dataclass
class Shell:
    """A terminal with the ``environment`` of somebody without a clone; ``folder`` is where its last command led."""

    folder: Path
    environment: Mapping[str, str]
    said: list[Said] = field(default_factory=list)

    @classmethod
    def of(cls, programs: list[Path], folder: Path, **variables: str) -> "Shell":
        """In ``folder``, with these folders of ``programs`` first; of the clone it knows nothing."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "TIDEMILL_"))}
        kept.pop("VIRTUAL_ENV", None)
        places = [place for place in kept["PATH"].split(os.pathsep) if not Path(place).is_relative_to(REPO)]
        path = os.pathsep.join([*map(str, programs), *places])
        return cls(folder, kept | {"PATH": path} | variables)

    def run(self, command: str) -> Said:
        """Run a line as bash does, after those before it."""
        where, start = self.folder.parent / ".where", time.monotonic()
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", f"{command}\npwd > '{where}'"],
            cwd=self.folder,
            env=dict(self.environment),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        self.folder = Path(where.read_text(encoding="utf-8").strip())
        self.said.append(Said(command, time.monotonic() - start, done.stdout, done.stderr))
        logger.info("%5.1f s: %s", self.said[-1].seconds, command)
        return self.said[-1]

    def last(self, start: str) -> Said:
        """What the last command said that begins like this."""
        return next(said for said in reversed(self.said) if said.command.startswith(start))

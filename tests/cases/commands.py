"""Commands of ``tidemill``, each in a process of its own, forked from one that has the libraries loaded already."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from tidemill.config.settings import REPO

# None of our own packages: each command imports them anew, and so sees the project that it runs in.
PARENT = """
import json, os, sys
import click, duckdb, lightgbm, pandas, psutil, pyarrow.parquet, pydantic_settings, rich.progress, scipy.stats
import sklearn.compose, sklearn.impute, sklearn.pipeline, tomllib, typeguard, yaml

for line in sys.stdin:
    arguments, folder, environment, files = json.loads(line)
    if not (child := os.fork()):
        for number, (file, mode) in enumerate(files):
            os.dup2(os.open(file, mode), number)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv[1:] = arguments
        from tidemill.cli import main
        main()
        sys.exit()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Commands:
    """Runs commands one after another, as ``python -c 'from tidemill.cli import main; main()'`` would."""

    def __init__(self) -> None:
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPO)}
        self._parent = subprocess.Popen(
            [sys.executable, "-c", PARENT], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._parent.communicate()

    def run(
        self, arguments: tuple[str, ...], folder: Path, environment: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """One command with these arguments in this folder, and no other variables than these."""
        assert self._parent.stdin and self._parent.stdout
        with TemporaryDirectory() as temporary:
            outputs = [Path(temporary) / name for name in ("stdout", "stderr")]
            files = [(os.devnull, os.O_RDONLY), *((str(file), os.O_WRONLY | os.O_CREAT) for file in outputs)]
            print(json.dumps([arguments, str(folder), dict(environment), files]), file=self._parent.stdin, flush=True)
            status = int(self._parent.stdout.readline())
            said, complained = (file.read_text(encoding="utf-8") for file in outputs)
        return subprocess.CompletedProcess(arguments, status, said, complained)

"""Labels and ``model.yaml``: what training says of them when it reads them."""

import importlib
from collections.abc import Iterator
from pathlib import Path

from tidemill.config.errors import TidemillError
from tidemill.config.project import TRAINED
from tidemill.projects.checking.problems import Problem, of_exception, split
from tidemill.projects.modules import own_module


def model_problems(name: str, folder: Path) -> Iterator[Problem]:
    """What is wrong with the use case ``name`` beside its features; nothing where it has no model."""
    labels, model = folder / "labels.py", folder / "model.yaml"
    if labels.is_file():
        try:
            importlib.import_module(f"use_cases.{name}.labels")
        except Exception as error:  # noqa: BLE001 - whatever the user's module raises is what is wrong with it
            yield of_exception(own_module(error, labels), error)
            return
    if not all((folder / file).is_file() for file in TRAINED):
        if model.is_file():
            yield Problem(str(model), 0, "there is no labels.py beside it, so nothing can be trained: write one")
        return
    from ml_modeling.use_case import load_use_case

    try:
        load_use_case(name)
    except TidemillError as error:
        yield from _placed(str(error), labels, model)


def _placed(message: str, labels: Path, model: Path) -> Iterator[Problem]:
    short = f"use_cases/{labels.parent.name}/labels.py"
    if message.startswith(f"{short}: "):
        yield Problem(str(labels), 0, message.removeprefix(f"{short}: "))
    else:
        yield from split(message, model)

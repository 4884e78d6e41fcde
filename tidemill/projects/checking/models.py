"""Labels and ``model.yaml``: against the contracts, and what training says of them when it reads them."""

import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from feature_store import catalog
from tidemill.config.errors import TidemillError
from tidemill.config.project import TRAINED
from tidemill.contracts.registry import Contract
from tidemill.projects.checking.problems import Problem, of_exception, split
from tidemill.projects.checking.questions import question_problems
from tidemill.projects.modules import own_module


def label_problems(name: str, folder: Path, contracts: Mapping[str, Contract], *, has_all: bool) -> Iterator[Problem]:
    """What is wrong with ``labels.py`` of the use case ``name``; nothing where it has none.

    Unless ``contracts`` ``has_all``, a question about a table that none of them has is not held against any.
    """
    file = folder / "labels.py"
    if not file.is_file():
        return
    try:
        module = importlib.import_module(f"use_cases.{name}.labels")
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the user's module raises is what is wrong with it
        yield of_exception(own_module(error, file), error)
        return
    try:
        question = catalog.question_of(module)
    except TidemillError as error:
        yield from _placed(error, folder)
        return
    yield from question_problems(file, question, contracts, has_all=has_all)


def model_problems(name: str, folder: Path) -> Iterator[Problem]:
    """What training and serving say of the use case ``name``; nothing where it has no model."""
    model = folder / "model.yaml"
    if not all((folder / file).is_file() for file in TRAINED):
        if model.is_file():
            yield Problem(str(model), 0, "there is no labels.py beside it, so nothing can be trained: write one")
        return
    from ml_modeling.use_case import load_use_case
    from model_serving.asked import asked_of

    try:
        load_use_case(name)
        asked_of(name)
    except TidemillError as error:
        yield from _placed(error, folder)
    except Exception as error:  # noqa: BLE001 - a value that nobody foresaw is still one of the file's
        yield of_exception(model, error)


def _placed(error: TidemillError, folder: Path) -> Iterator[Problem]:
    """At the file that the message begins with; what names none is about the features."""
    message, model = str(error), folder / "model.yaml"
    for file in folder.glob("*.py"):
        begin = f"use_cases/{folder.name}/{file.name}: "
        if message.startswith(begin):
            yield Problem(str(file), 0, message.removeprefix(begin))
            return
    if message.startswith(f"{model}: "):
        yield from split(message, model)
    else:
        yield Problem(str(folder / "features.py"), 0, message)

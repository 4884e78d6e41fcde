"""Contracts: each by itself, against what was published of it, and all together."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from tidemill.config.project import SCHEMAS, Project
from tidemill.contracts.columns import column_type
from tidemill.contracts.errors import ContractError
from tidemill.contracts.evolution import breaking_changes
from tidemill.contracts.registry import Contract, read_contract, read_schema
from tidemill.contracts.rules import problems
from tidemill.projects.checking.problems import Problem, line_of

PUBLISHED = "published"


def contract_problems(project: Project) -> tuple[list[Problem], Mapping[str, Contract]]:
    """What is wrong with the contracts, and those that can serve, by topic."""
    found: list[Problem] = []
    usable: dict[str, Contract] = {}
    tables: dict[str, Path] = {}
    for path in project.contract_files():
        of_file = list(_of_file(path))
        found += of_file
        if of_file:
            continue
        contract = read_contract(path)
        usable[contract.topic] = contract
        if (other := tables.setdefault(contract.table, path)) != path:
            line = line_of(path, '"x-table"')
            found.append(Problem(str(path), line, f"x-table {contract.table!r} is that of {other}: name another"))
    return [*found, *_of_evolution(project)], usable


def _of_file(path: Path) -> Iterator[Problem]:
    try:
        schema = read_schema(path)
    except ContractError as error:
        yield _problem(path, str(error))
        return
    messages = list(problems(path.name, schema))
    for name, declared in schema["properties"].items():
        try:
            column_type(f"{path.name}: /properties/{name}", declared)
        except ContractError as error:
            messages.append(str(error))
    yield from (_problem(path, message) for message in messages)


def _of_evolution(project: Project) -> Iterator[Problem]:
    folders = [folder / PUBLISHED for folder in project.own("contracts")]
    if project.builtin:
        folders.insert(0, SCHEMAS.parent / PUBLISHED)
    current = {path.stem: path for path in project.contract_files()}
    for old in [path for folder in folders for path in sorted(folder.glob("*.json"))]:
        new = current.get(old.stem)
        if new is None:
            why = "this contract was published, and there is no contract of the topic any more: bring it back, or "
            yield Problem(str(old), 0, f"{why}remove this file once nobody produces the topic")
            continue
        try:
            before = read_schema(old)
        except ContractError as error:
            yield _problem(old, str(error))
            continue
        try:
            after = read_schema(new)
        except ContractError:  # said of the contract itself
            continue
        for change in breaking_changes(before, after):
            yield Problem(
                str(new), _line(new, change), f"{change}, against {PUBLISHED}/{old.name}: {_instead(new.stem)}"
            )


def _instead(topic: str) -> str:
    name, _, number = topic.rpartition(".v")
    following = f"{name}.v{int(number) + 1}" if number.isdecimal() else f"{topic}.v2"
    return f"old events must stay valid; take it back, or begin a new topic, {following}.json"


def _problem(path: Path, message: str) -> Problem:
    message = message.removeprefix(f"{path.name}").removeprefix(":").strip()
    return Problem(str(path), _line(path, message), message)


def _line(path: Path, message: str) -> int:
    """Where the property or keyword stands that the message begins with or has in quotes."""
    place = message.split(" ", maxsplit=1)[0].rstrip(":").split("/")
    words = [part for part in place if part and part != "properties"][:1] + message.split("'", maxsplit=2)[1:2]
    return next((line for word in words if (line := line_of(path, f'"{word.strip()}"'))), 0)

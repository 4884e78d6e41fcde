"""Flows as files: NiFi's own flow definitions, as its page downloads them ("Download flow definition")."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidemill.config.errors import TerminalError

FLOWS = Path(__file__).with_name("flows")
MARK = re.compile(r"^tidemill flow sha256:(?P<digest>[0-9a-f]{64})$", re.MULTILINE)


class FlowFileError(TerminalError):
    """A file that is no flow definition; the message says what is wrong with it."""


@dataclass(frozen=True)
class Flow:
    """The flow ``name``, as the content of its file with the SHA-256 ``digest`` defines it."""

    name: str
    digest: str
    content: Mapping[str, Any]

    @property
    def has_services(self) -> bool:
        """Whether its processors share something that is enabled apart."""
        return bool(self.content["flowContents"].get("controllerServices"))

    @property
    def definition(self) -> Mapping[str, Any]:
        """The content, named and marked so that the installed flow tells which file it is of."""
        group = self.content["flowContents"]
        comments = "\n".join(filter(None, (group.get("comments", ""), f"tidemill flow sha256:{self.digest}")))
        return {**self.content, "flowContents": {**group, "name": self.name, "comments": comments}}


def flows(folder: Path = FLOWS) -> list[Flow]:
    """Every flow, by name.

    Raises:
        FlowFileError: a file is no flow definition.
    """
    return [_flow(file) for file in sorted(folder.glob("*.json"))]


def marked_digest(comments: str) -> str | None:
    """The digest of the file that a group with these ``comments`` was made of; None when it tells none."""
    mark = MARK.search(comments)
    return mark["digest"] if mark else None


def _flow(file: Path) -> Flow:
    text = file.read_bytes()
    try:
        content: Any = json.loads(text)
    except ValueError as error:
        raise FlowFileError(f"{file}: not valid JSON: {error}") from error
    group = content.get("flowContents") if isinstance(content, dict) else None
    if not isinstance(group, dict) or not isinstance(group.get("processors"), list):
        raise FlowFileError(f"{file}: no flow definition: download one from NiFi's page, of the whole process group")
    return Flow(file.stem, hashlib.sha256(text).hexdigest(), content)

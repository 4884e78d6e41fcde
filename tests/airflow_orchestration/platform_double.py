"""A stand-in for the platform environment: a program ``tidemill`` that notes how it was called and does as told."""

import json
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROGRAM = """#!{python}
import fcntl, json, os, pathlib, subprocess, sys, time
folder = pathlib.Path({folder!r})
arguments = sys.argv[1:]
started = time.time()
turn = (folder / "turn").open("w")
fcntl.flock(turn, fcntl.LOCK_EX)
answers = json.loads((folder / "answers.json").read_text())
key = max((key for key in answers if " ".join(arguments).startswith(key)), key=len, default=None)
queue = answers[key] if key is not None else [{{}}]
answer = queue.pop(0) if len(queue) > 1 else queue[0]
(folder / "answers.json").write_text(json.dumps(answers))
turn.close()
if "sleep_s" in answer:
    child = subprocess.Popen(["sleep", str(answer["sleep_s"])])
    (folder / "pids.json").write_text(json.dumps([os.getpid(), child.pid]))
    child.wait()
print(*answer.get("stderr", []), sep="\\n", file=sys.stderr, flush=True)
print(*answer.get("stdout", []), sep="\\n", flush=True)
call = {{"arguments": arguments, "environment": dict(os.environ), "started": started, "ended": time.time()}}
with (folder / "calls.jsonl").open("a") as file:
    file.write(json.dumps(call) + "\\n")
sys.exit(answer.get("exit", 0))
"""
NOT_AS_EXPECTED = {"exit": 1, "stderr": ["tidemill: silver/transactions: not as expected"]}
"""What ``quality run`` answers when data is bad."""


@dataclass(frozen=True)
class Call:
    arguments: list[str]
    environment: dict[str, str]
    started: float
    ended: float


class PlatformDouble:
    """``answers`` maps the start of a command line to its answers in turn, the last one for ever."""

    def __init__(self, environment: Path) -> None:
        self.folder = environment
        program = environment / "bin" / "tidemill"
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(PROGRAM.format(python=sys.executable, folder=str(environment)))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        self.answer({})

    def answer(self, answers: dict[str, list[dict[str, Any]]]) -> None:
        (self.folder / "answers.json").write_text(json.dumps(answers))
        (self.folder / "calls.jsonl").write_text("")
        (self.folder / "pids.json").unlink(missing_ok=True)

    def calls(self) -> list[Call]:
        return [Call(**json.loads(line)) for line in (self.folder / "calls.jsonl").read_text().splitlines()]

    def command_lines(self) -> list[str]:
        return [" ".join(call.arguments) for call in self.calls()]

    def pids(self) -> list[int]:
        """The process and its child, once a command that sleeps has started; empty before."""
        path = self.folder / "pids.json"
        text = path.read_text() if path.exists() else ""
        return list(json.loads(text)) if text else []

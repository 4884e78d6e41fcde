"""Showing a start on the terminal: one line a service, or one line an event where there is no terminal."""

import threading
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from tidemill.stack.up import Phase, Progress

STYLES = {Phase.READY: "green", Phase.FAILED: "red", Phase.WAITING: "dim"}


class StartProgress:
    """Give :meth:`report` to ``up``; it writes to stderr."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._live = Live(console=self._console, refresh_per_second=4) if self._console.is_terminal else None
        self._began = time.monotonic()
        self._last: dict[str, tuple[Progress, float]] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def report(self, progress: Progress) -> None:
        with self._lock:
            previous = self._last.get(progress.service)
            elapsed_s = time.monotonic() - self._began
            self._last[progress.service] = (progress, elapsed_s)
            if self._live:
                self._live.update(self._table())
            elif previous is None or previous[0].phase != progress.phase:
                detail = f" ({progress.detail})" if progress.detail else ""
                line = f"[{elapsed_s:5.1f} s] {progress.service}: {progress.phase}{detail}"
                self._console.print(Text(line), soft_wrap=True)

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for progress, elapsed_s in self._last.values():
            is_over = progress.phase in {Phase.READY, Phase.FAILED}
            mark = Text("✓" if progress.phase is Phase.READY else "✗") if is_over else Spinner("dots")
            style = STYLES.get(progress.phase, "yellow")
            seconds = f"{elapsed_s:.1f} s" if is_over else ""
            table.add_row(
                mark, Text(progress.service), Text(progress.phase, style), seconds, Text(progress.detail, "dim")
            )
        return table

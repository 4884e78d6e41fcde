"""An operator that runs a command of the platform environment."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from airflow.sdk import BaseOperator, BaseOperatorLink, Context
from airflow.sdk.exceptions import AirflowSkipException

from airflow_orchestration.plugins.hooks.platform import PlatformHook, failure
from tidemill.config.settings import load_settings


class PlatformCommandOperator(BaseOperator):  # type: ignore[misc]
    """Runs ``command``, a program of the platform environment and its arguments, and streams its output to the log.

    XCom: the JSON object the command printed last on stdout. Exit status 75, and an end by a signal (the kernel's
    out-of-memory killer, a restart of the machine; above 128 when the command let go of what it held first), raise
    AirflowException, so that the task is tried again; any other non-zero status raises AirflowFailException, because
    the command said that trying again changes nothing.

    ``options`` are appended as name and value; one whose template renders to nothing is left out. ``links`` are the
    buttons the task's page shows. A command that succeeded and whose document has nothing under the key
    ``skip_without`` has its task skipped.
    """

    template_fields: Sequence[str] = ("command", "options")
    ui_color = "#e3f2e9"

    def __init__(
        self,
        *,
        command: Sequence[str],
        options: Mapping[str, str] = MappingProxyType({}),
        links: Sequence[BaseOperatorLink] = (),
        skip_without: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.command = list(command)
        self.options = dict(options)
        self.operator_extra_links = tuple(links)
        self.skip_without = skip_without
        self._hook: PlatformHook | None = None

    def execute(self, context: Context) -> Any:
        self._hook = PlatformHook(load_settings())
        options = [part for name, value in self.options.items() if value for part in (name, value)]
        line = [str(part) for part in (*self.command, *options)]
        result = self._hook.run(line)
        if result.exit_status != 0:
            raise failure(line, result)
        document = result.document
        if self.skip_without is not None and (document or {}).get(self.skip_without) is None:
            raise AirflowSkipException(f"`{' '.join(line)}` has no {self.skip_without}")
        return document

    def on_kill(self) -> None:
        if self._hook is not None:
            self._hook.terminate()

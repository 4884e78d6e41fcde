"""``python -m tests.soak --hours 1``: the whole stack under requests, events and faults, and every answer judged."""

import shutil
import signal
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import click

from data_lake.tables import silver
from tests.integration.conftest import settings_on_free_ports
from tests.soak import ending
from tests.soak.correction import TOPIC, Correction
from tests.soak.faults import Fault, Faults
from tests.soak.health import Processes, Sample, growth
from tests.soak.judge import Judge
from tests.soak.live import LiveEvents
from tests.soak.models import load_models
from tests.soak.plan import Planned, is_possible, plan
from tests.soak.prepared import prepare
from tests.soak.registry import ChampionDeletion
from tests.soak.report import Soak, markdown
from tests.soak.store import OnlineStore
from tests.soak.traffic import USE_CASE, Traffic
from tests.troubles.stack import Stack
from tidemill.config.sections import Stream

TICK_S = 1.0
SAMPLE_S = 10.0
TELL_S = 15.0
REPAIR_S = 600.0
"""So long after the hours everything has to be repaired; a machine that does other things meanwhile is slow."""


class Run:
    """One soak on a stack that is prepared."""

    def __init__(self, stack: Stack, hours: float, seed: int) -> None:
        settings = stack.settings
        self._stack, self._hours, self._seed = stack, hours, seed
        self._processes = Processes(settings)
        self._samples: dict[str, list[Sample]] = defaultdict(list)
        self.traffic = Traffic(settings.serving.url, lambda: self.judge.customers, seed)
        models = load_models(settings.mlflow.tracking_uri, USE_CASE)
        table = Path(silver(TOPIC).path(settings))
        self.judge = Judge(table, settings.kafka.bootstrap_servers, models, self.traffic)
        self.live = LiveEvents(stack.environment, settings.home / "logs" / "soak-live.log")
        self.faults = Faults(
            self._processes,
            OnlineStore(stack),
            ChampionDeletion(stack),
            Correction(stack),
            self.judge,
            self.traffic.ask,
            seed,
        )
        self._began = time.time()
        self._told = self._sampled = 0.0

    def soak(self) -> Soak:
        """Run for the hours, let everything come to rest, and look at it."""
        self._began = time.time()
        self.judge.start()
        self.traffic.start()
        self.live.start()
        try:
            self._go_through(plan(self._hours * 3600, self._seed))
            self._wait_for_repairs()
        finally:
            self.live.stop()
            self.traffic.stop()
        ended = time.time()
        checks = [ending.states_are_whole(self.traffic, self.judge, self._say)]
        checks.append(ending.reconciled(self._stack))
        self.judge.stop()
        checks.append(ending.consistent(self._stack, self._began))
        checks.append(ending.logged_once(self._stack, self.traffic, self.faults.done))
        return self._found(ended, checks)

    def _found(self, ended: float, checks: list[ending.Check]) -> Soak:
        grown = [growth(service, samples) for service, samples in self._samples.items()]
        return Soak(
            hours=self._hours,
            seed=self._seed,
            began=self._began,
            ended=ended,
            statuses=self.traffic.statuses,
            reasons=self.traffic.reasons,
            timeline=self.traffic.timeline,
            judged=self.judge.judged,
            faults=self.faults.done,
            growth=[one for one in grown if one is not None],
            checks=checks,
            live=self.live.acknowledged,
            commands=self.live.commands,
            failed=self.live.failed,
        )

    def _go_through(self, planned: list[Planned]) -> None:
        """Do each fault when its time has come and it can be done."""
        ahead = list(planned)
        while time.time() - self._began < self._hours * 3600:
            self._look()
            now = time.time() - self._began
            due = [one for one in ahead if one.at <= now and is_possible(one.kind, self.faults.away)]
            if due and (fault := self.faults.do(due[0].kind)):
                ahead.remove(due[0])
                self._say(f"{fault.kind}: {fault.detail} {fault.trouble if not fault.was_done else ''}")
            time.sleep(TICK_S)
        for one in ahead:
            self._say(f"there was no time for: {one.kind}")

    def _wait_for_repairs(self) -> None:
        deadline = time.time() + REPAIR_S
        while self._look() and time.time() < deadline:
            time.sleep(TICK_S)

    def _look(self) -> list[Fault]:
        self.judge.check()
        waiting = self.faults.look()
        if time.time() - self._sampled >= SAMPLE_S:
            self._sampled = time.time()
            for service, sample in self._processes.sample().items():
                self._samples[service].append(sample)
        if time.time() - self._told >= TELL_S:
            self._told = time.time()
            self._say(self._progress(waiting))
        return waiting

    def _progress(self, waiting: list[Fault]) -> str:
        judged = self.judge.judged
        asked = sum(self.traffic.statuses.values())
        state = "; ".join(f"waiting after {fault.kind}: {fault.trouble[:120]}" for fault in waiting) or "all is well"
        return f"{asked:,} requests, {judged.answers:,} answers judged, {len(judged.wrong)} wrong; {state}"

    def _say(self, text: str) -> None:
        say(f"{time.time() - self._began:6.0f} s of {self._hours * 3600:.0f}  {text}")


def say(text: str) -> None:
    click.echo(f"{time.strftime('%H:%M:%S')} {text}", err=True)


@click.command()
@click.option("--hours", type=click.FloatRange(min=0, min_open=True), default=1.0, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed is another order of faults.")
@click.option("--report", type=click.Path(path_type=Path), default=Path("soak.md"), show_default=True)
@click.option("--keep", is_flag=True, help="Leave the stack and its home folder as they are.")
def main(hours: float, seed: int, report: Path, keep: bool) -> None:
    """Run the stack under load and faults; exit 1 when an answer was wrong, or something did not come right again."""
    # Who starts it in the background has it ignore Ctrl-C; either way what was started is to be stopped.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    home = Path(tempfile.mkdtemp(prefix="tidemill-soak-")) / "home"
    say(f"the home folder is {home}")
    settings = settings_on_free_ports(home)
    as_shipped = settings.stream.model_copy(update={"driver_memory_mb": Stream().driver_memory_mb})
    stack, is_done = Stack.at(settings.model_copy(update={"stream": as_shipped})), False
    try:
        soak = _soaked(stack, hours, seed)
        report.write_text(markdown(soak), encoding="utf-8")
        click.echo(markdown(soak))
        is_done = not soak.failures()
    finally:
        if not keep:
            stack.tidemill("down")
        if is_done and not keep:
            shutil.rmtree(home.parent)
        else:
            say(f"left for you to look at: {home}")
    sys.exit(0 if is_done else 1)


def _soaked(stack: Stack, hours: float, seed: int) -> Soak:
    sent = prepare(stack, seed, say)
    run = Run(stack, hours, seed)
    soak = run.soak()
    soak.checks.append(ending.acknowledged_is_in_bronze(stack, sent + run.live.acknowledged))
    return soak


if __name__ == "__main__":
    main()

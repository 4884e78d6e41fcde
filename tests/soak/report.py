"""The soak's table, and what of it must not be."""

import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tests.soak.ending import Check
from tests.soak.faults import Fault
from tests.soak.health import Growth
from tests.soak.judge import Judged
from tests.soak.traffic import Timeline

SHOWN = 10


@dataclass(frozen=True)
class Soak:
    """All that one run found; times are Unix seconds."""

    hours: float
    seed: int
    began: float
    ended: float
    statuses: Counter[str]
    reasons: Counter[str]
    timeline: Timeline
    judged: Judged
    faults: Sequence[Fault]
    growth: Sequence[Growth]
    checks: list[Check]
    live: Mapping[str, int]
    commands: int
    failed: int

    def failures(self) -> list[str]:
        """What must not be, each in a sentence; empty when the soak passed."""
        wrong = self.judged.wrong
        told = [f"{len(wrong)} wrong answers, such as: {'; '.join(wrong[:SHOWN])}"] if wrong else []
        told += [] if self.judged.with_features else ["no answer was judged"]
        told += [
            f"not repaired: {fault.kind} ({fault.detail}): {fault.trouble}"
            for fault in self.faults
            if fault.repaired_at is None
        ]
        told += [f"{check.name}: {check.wrong}" for check in self.checks if check.wrong]
        told += [
            f"{growth.service} leaks: {growth.first_mb:.0f} MB first, {growth.last_mb:.0f} MB last"
            for growth in self.growth
            if growth.is_leak
        ]
        return told


def markdown(soak: Soak) -> str:
    """The report."""
    parts = [
        f"# Soak of {soak.hours:g} h, seed {soak.seed}",
        _verdict(soak.failures()),
        "## Answers",
        table(("what", "figure"), _answers(soak)),
        "## Faults",
        table(
            ("fault", "times", "repaired", "repair s (median)", "repair s (longest)", "degraded s (mean)"),
            _faults(soak),
        ),
        "Degraded are the seconds until the next fault in which an answer lacked something or did not come.",
        "## Memory",
        table(("service", "lives", "samples", "first MB", "last MB", "grown", "MB/h in a life"), _memory(soak.growth)),
        "## At the end",
        table(("check", "found", "holds"), ((one.name, one.told, "no" if one.wrong else "yes") for one in soak.checks)),
    ]
    return "\n\n".join(parts) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _verdict(failures: Sequence[str]) -> str:
    if not failures:
        return "Nothing was wrong."
    return "\n".join(["What was wrong:", "", *(f"- {failure}" for failure in failures)])


def _answers(soak: Soak) -> Iterator[tuple[str, str]]:
    yield "requests", _counts(soak.statuses)
    yield "predictions answered", _counts(soak.reasons)
    judged = soak.judged
    yield "predictions logged and judged", f"{judged.answers:,}, of them {judged.unheard:,} whose client was gone"
    yield "with features", f"{judged.with_features:,}, of them {judged.approximate:,} with counts that are estimates"
    yield "wrong", f"{len(judged.wrong):,}"
    yield "live events", f"{_counts(soak.live)}, by {soak.commands} commands, {soak.failed} of which failed"
    whole = soak.ended - soak.began
    degraded = soak.timeline.degraded_s(soak.began, soak.ended)
    yield "time", f"{whole:.0f} s, in {degraded} of them an answer lacked something or did not come"


def _faults(soak: Soak) -> Iterator[tuple[str, ...]]:
    moments = [*(fault.at for fault in soak.faults), soak.ended]
    degraded = [soak.timeline.degraded_s(begin, end) for begin, end in pairwise(moments)]
    for kind in dict.fromkeys(fault.kind for fault in soak.faults):
        mine = [number for number, fault in enumerate(soak.faults) if fault.kind == kind]
        repairs = [repair for number in mine if (repair := soak.faults[number].repair_s) is not None]
        yield (
            kind,
            str(len(mine)),
            str(len(repairs)),
            f"{statistics.median(repairs):.0f}" if repairs else "-",
            f"{max(repairs):.0f}" if repairs else "-",
            f"{statistics.fmean(degraded[number] for number in mine):.0f}",
        )


def _memory(found: Sequence[Growth]) -> Iterator[tuple[str, ...]]:
    for growth in found:
        yield (
            growth.service,
            str(growth.lives),
            str(growth.samples),
            f"{growth.first_mb:.0f}",
            f"{growth.last_mb:.0f}",
            f"{growth.last_mb / growth.first_mb - 1:+.0%}",
            "-" if growth.slope is None else f"{growth.slope:+.0f}",
        )


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items(), key=lambda one: -one[1])) or "none"

"""How far Spark is, on a terminal: the tasks that are done of those of the stages that it has begun."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql import SparkSession
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

EVERY_S = 0.25


@contextmanager
def shown(spark: SparkSession, what: str) -> Iterator[None]:
    """A bar on stderr while the block runs; nothing where that is no terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    is_over = threading.Event()
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total} tasks"))
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as progress:
        follower = threading.Thread(target=_follow, args=(spark, progress, what, is_over), daemon=True)
        follower.start()
        try:
            yield
        finally:
            is_over.set()
            follower.join()


def _follow(spark: SparkSession, progress: Progress, what: str, is_over: threading.Event) -> None:
    seen: dict[int, tuple[int, int]] = {}
    bar = progress.add_task(what, total=None)
    while not is_over.wait(EVERY_S):
        seen |= _active(spark)
        done, total = (sum(numbers) for numbers in zip(*seen.values(), strict=True)) if seen else (0, None)
        progress.update(bar, completed=done, total=total)


def _active(spark: SparkSession) -> dict[int, tuple[int, int]]:
    """The stages that run now: how many of their tasks are done, and how many there are."""
    tracker = spark.sparkContext.statusTracker()
    stages = {number: tracker.getStageInfo(number) for number in tracker.getActiveStageIds()}
    return {number: (info.numCompletedTasks, info.numTasks) for number, info in stages.items() if info is not None}

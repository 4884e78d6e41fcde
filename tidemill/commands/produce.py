"""``tidemill produce``: a simulated shop, simulated card payments, a real file or a project's source, to Kafka."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from tidemill.commands.times import DAY
from tidemill.config import Settings, load_settings
from tidemill.config.interruption import noted_signals

if TYPE_CHECKING:
    from ingestion_layer.sources.card_simulator.cards import Cards
    from ingestion_layer.sources.card_simulator.cards import Drift as CardsDrift
    from ingestion_layer.sources.replay import Sent, Source
    from ingestion_layer.sources.simulator.current import CurrentShop
    from ingestion_layer.sources.simulator.shop import Bias, Drift, Shop

JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
AGAIN = click.option("--again", is_flag=True, help="Send all of it again, also when it was sent already.")


@click.group(name="produce")
def command() -> None:
    """Send events to Kafka: a simulated shop, simulated card payments, a real file, or a project's own source.

    A run that was stopped goes on where the broker had acknowledged everything. On SIGINT or SIGTERM it sends no more
    and prints what was acknowledged. The exit status is 0 only if all was sent and acknowledged.
    """


@command.command()
@click.option("--customers", type=int, help="How many customers the shop has.  [default: 2000]")
@click.option("--days", type=int, help="How many days of history.  [default: 365]")
@click.option("--end", type=DAY, help="First day (UTC) after the history.  [default: today]")
@click.option("--seed", type=int, help="Another seed is another shop.  [default: 1]")
@click.option("--browsing", type=float, help="Sessions that only look, per session that buys.  [default: 1]")
@click.option("--faults", help="none, default, or kind=rate,...  [default: none; live: as in the history]")
@click.option("--drift-from", type=DAY, help="From this day on, prices, purchase rates and tastes change.")
@click.option("--drift", "drift", help="What drift changes: price=1.25,rate=0.7,taste=0.5.")
@click.option("--bias", help="A group that buys less often, as age_band=65+,rate=0.4; or none.  [default: none]")
@click.option("--live", type=click.FloatRange(0.01), help="Go on after the history: so many messages a second, now.")
@click.option("--seconds", type=click.FloatRange(0.1), default=60.0, show_default=True, help="How long --live sends.")
@AGAIN
@JSON
def simulator(live: float | None, seconds: float, again: bool, as_json: bool, faults: str | None, **shop: Any) -> None:
    """A simulated shop: its history as fast as possible, or its days after that, live.

    Options that are not given keep the values of the shop last sent from this home. Its truth is written to
    <home>/truth/simulator.
    """
    settings = load_settings()
    given = [f"--{name.replace('_', '-')}" for name, value in shop.items() if value is not None]
    if live is not None and given:
        raise click.UsageError(f"--live goes on with the shop of the history: leave out {', '.join(given)}")
    with noted_signals() as stop:
        if live is None:
            summary = _history(settings, shop, faults, again, stop)
        else:
            summary = _live(settings, faults, live, seconds, stop)
        _print(summary, as_json)


@command.command()
@click.option("--customers", type=int, help="How many customers have a card.  [default: 500]")
@click.option("--terminals", type=int, help="How many terminals there are, at 100 x 100 places.  [default: 1000]")
@click.option("--radius", type=float, help="How far from home customers pay.  [default: 5]")
@click.option("--start", type=DAY, help="First day (UTC).  [default: 2018-04-01]")
@click.option("--days", type=int, default=183, show_default=True, help="How many days.")
@click.option("--seed", type=int, help="Another seed is another set of cards.  [default: 1]")
@click.option("--verdict-days", type=int, help="After how many days it is known what was fraud.  [default: 7]")
@click.option("--located", is_flag=True, default=None, help="Payments say where their terminal stands.")
@click.option("--drift-from", type=DAY, help="From this day on all amounts change, those of frauds as well.")
@click.option("--drift-amount", type=float, help="By which factor amounts change.  [default: 1.5]")
@AGAIN
@JSON
def cards(start: datetime | None, days: int, again: bool, as_json: bool, **cards: Any) -> None:
    """Simulated card payments with fraud, and the verdicts known by the last day.

    Which payments are fraud, and by which scenario, is written to <home>/truth/cards.
    """
    from ingestion_layer.sources.card_simulator.history import CardSource

    source = CardSource(settings := load_settings(), _cards(_day(start), days, cards))
    with noted_signals() as stop:
        sent = _replay(settings, source, again, stop)
        _print(
            {"source": source.name, **_cards_summary(source.counts, str(source.truth.folder)), **_run(sent)}, as_json
        )


@command.command(name="online-retail")
@click.argument("file", type=click.Path(path_type=Path))
@AGAIN
@JSON
def online_retail(file: Path, again: bool, as_json: bool) -> None:
    """Replay UCI Online Retail from a csv, csv.gz or xlsx FILE.

    Every row becomes an event or a rejected row; those are written to <home>/rejected with their reasons.
    """
    from ingestion_layer.sources.online_retail.source import TOPIC, OnlineRetailSource

    source = OnlineRetailSource(settings := load_settings(), file)
    with noted_signals() as stop:
        sent = _replay(settings, source, again, stop)
        told = _retail_summary(TOPIC, source.counts)
        rejected_file = str(source.rejected_path)
        _print({"source": source.name, **told, "rejected_file": rejected_file, **_run(sent)}, as_json)


@command.command()
@click.argument("name")
@AGAIN
@JSON
def source(name: str, again: bool, as_json: bool) -> None:
    """What the project's sources/NAME.py yields: a function events() that gives CloudEvents, in order.

    A file that was edited is sent from its beginning; an id that the lake has already changes nothing.
    """
    from ingestion_layer.sources.own import OwnSource

    own = OwnSource(name)
    settings = load_settings()
    with noted_signals() as stop:
        sent = _replay(settings, own, again, stop)
        by_topic = {topic: {"produced": count} for topic, count in sorted(own.counts.items())}
        told = {"source": name, "produced": sum(own.counts.values()), "by_topic": by_topic}
        _print({**told, **_run(sent)}, as_json)


def _cards_summary(counts: Mapping[str, int], truth: str) -> dict[str, Any]:
    topics = {name: count for name, count in counts.items() if not name.startswith("fraud/")}
    return {
        "produced": sum(topics.values()),
        "by_topic": {name: {"produced": count, "unique_ids": count} for name, count in topics.items()},
        "unique_ids": sum(topics.values()),
        "frauds": {name.removeprefix("fraud/"): counts[name] for name in counts if name not in topics},
        "truth": truth,
    }


def _retail_summary(topic: str, counts: Counter[str]) -> dict[str, Any]:
    told = {name: counts[name] for name in ("unique_ids", "duplicates", "guests", "returns")}
    rejected = {name.removeprefix("rejected/"): counts[name] for name in sorted(counts) if name.startswith("rejected/")}
    return {
        "rows": counts["events"] + sum(rejected.values()),
        "produced": counts["events"],
        "by_topic": {topic: {"produced": counts["events"], **told}},
        **told,
        "rejected": rejected,
    }


def _history(
    settings: Settings, options: dict[str, Any], faults: str | None, again: bool, stop: Event
) -> dict[str, Any]:
    from ingestion_layer.sources.simulator.current import CurrentShop, load_current, save_current
    from ingestion_layer.sources.simulator.faults import Faults
    from ingestion_layer.sources.simulator.history import SimulatorSource

    current = load_current(settings)
    shop = _shop(options, current)
    typed = faults or (current.faults if current and current.shop == shop else "none")
    source = SimulatorSource(settings, shop, Faults.parse(typed))
    if current is None or current.shop != shop:
        current = CurrentShop(shop, typed, shop.last_day)
    save_current(settings, CurrentShop(shop, typed, current.live_day))
    sent = _replay(settings, source, again, stop)
    return {**_shop_summary("history", source.counts, str(source.truth.folder)), **_run(sent)}


def _live(settings: Settings, faults: str | None, rate: float, seconds: float, stop: Event) -> dict[str, Any]:
    from ingestion_layer.kafka.topics import create_topics
    from ingestion_layer.sources.simulator.current import current_shop
    from ingestion_layer.sources.simulator.faults import Faults
    from ingestion_layer.sources.simulator.live import Pace, send_live
    from ingestion_layer.sources.simulator.truth import Truth

    current = current_shop(settings)
    create_topics(settings)
    pace = Pace(rate, seconds, stop)
    with _bar("live", "messages", pace.total) as advance:
        parsed = Faults.parse(faults or current.faults)
        sent, counts = send_live(settings, current, parsed, pace, lambda done: advance(done, None))
    folder = str(Truth.of(settings, current.shop.fingerprint).folder)
    return {**_shop_summary("live", counts, folder), **_run(sent)}


def _shop(options: dict[str, Any], current: "CurrentShop | None") -> "Shop":
    from ingestion_layer.sources.simulator.shop import Shop

    old = current.shop if current else None
    given = {name: value for name, value in options.items() if value is not None}
    today = datetime.now(UTC).date()
    end: date = _day(given.get("end")) or (old.end if old else today)
    if end > today:
        raise click.BadParameter(
            f"{end} is after today ({today}, UTC): the lake refuses the future", param_hint="--end"
        )
    days = given.get("days") or ((old.end - old.start).days if old else 365)
    try:
        start = end - timedelta(days=days)
    except OverflowError:
        raise click.BadParameter(f"{days} days before {end} is no date", param_hint="--days") from None
    return Shop(
        seed=given.get("seed", old.seed if old else 1),
        customers=given.get("customers", old.customers if old else 2000),
        start=start,
        end=end,
        browsing=given.get("browsing", old.browsing if old else 1.0),
        drift=_drift(given, old),
        bias=_bias(given.get("bias"), old),
    )


def _bias(text: str | None, old: "Shop | None") -> "Bias | None":
    from ingestion_layer.sources.simulator.shop import Bias

    if text is None:
        return old.bias if old else None
    return None if text == "none" else Bias.parse(text)


def _drift(given: dict[str, Any], old: "Shop | None") -> "Drift | None":
    from ingestion_layer.sources.simulator.shop import Drift

    start, text = _day(given.get("drift_from")), given.get("drift")
    if start is None:
        if text:
            raise click.UsageError("--drift needs --drift-from")
        return old.drift if old else None
    return Drift.parse(start, text or "")


def _cards(start: date | None, days: int, options: dict[str, Any]) -> "Cards":
    from ingestion_layer.sources.card_simulator.cards import Cards

    first = start or Cards.start
    end = _days_after(first, days)
    drift = _cards_drift(options)
    if end > (today := datetime.now(UTC).date()):
        raise click.BadParameter(
            f"{end} is after today ({today}, UTC): the lake refuses the future", param_hint="--days"
        )
    given = {name: value for name, value in options.items() if value is not None}
    return Cards(start=first, end=end, drift=drift, **given)


def _cards_drift(options: dict[str, Any]) -> "CardsDrift | None":
    """Taken out of ``options``."""
    from ingestion_layer.sources.card_simulator.cards import Drift

    begin, amount = _day(options.pop("drift_from")), options.pop("drift_amount")
    if begin is None:
        if amount is not None:
            raise click.UsageError("--drift-amount needs --drift-from")
        return None
    return Drift(begin) if amount is None else Drift(begin, amount)


def _days_after(start: date, days: int) -> date:
    try:
        return start + timedelta(days=days)
    except OverflowError:
        raise click.BadParameter(f"{days} days after {start} is no date", param_hint="--days") from None


def _day(value: datetime | None) -> date | None:
    return None if value is None else value.date()


def _replay(settings: Settings, source: "Source", again: bool, stop: Event) -> "Sent":
    from ingestion_layer.kafka.topics import create_topics
    from ingestion_layer.sources.replay import replay

    create_topics(settings)
    with _bar(source.name, source.unit, source.total) as advance:

        def show(position: int) -> None:
            advance(position, source.total)

        return replay(settings, source, again=again, on_position=show, stop=stop)


@contextmanager
def _bar(name: str, unit: str, total: int | None) -> Iterator[Callable[[int, int | None], None]]:
    """A progress bar on stderr; the function it gives takes the position and, once known, the total."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(f"{name} {unit}", total=total)

        def advance(position: int, known: int | None) -> None:
            progress.update(task, completed=position, total=known or total)

        yield advance


def _run(sent: "Sent") -> dict[str, Any]:
    """What this run did, beside what the whole replay came to."""
    return {
        "sent": sent.total,
        "began_at": sent.began_at,
        "seconds": round(sent.seconds, 3),
        "rate": round(sent.per_second, 1),
    }


def _shop_summary(phase: str, counts: Any, truth: str) -> dict[str, Any]:
    from ingestion_layer.sources.simulator.summary import summarise

    return {"source": "simulator", "phase": phase, **summarise(counts), "truth": truth}


def _print(summary: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(summary, indent=2))
        return
    for name, value in summary.items():
        click.echo(f"{name.replace('_', ' ')}: {json.dumps(value) if isinstance(value, dict) else value}")

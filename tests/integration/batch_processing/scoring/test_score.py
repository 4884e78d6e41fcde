"""Everybody at once, against the API: the same answers about the same customers at the same microsecond."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from fastapi import FastAPI
from pyspark.sql import SparkSession

from batch_processing.scoring.model import ModelFeaturesError
from batch_processing.scoring.score import Scored, score
from batch_processing.scoring.window import Window
from data_lake.delta_rs import open_table, rows
from data_lake.delta_tables import create_table
from data_lake.tables import silver, table
from ml_modeling.questions.lake import NoDataError
from ml_modeling.registry import MlflowMissingError, NoModelError, UnreadableModelError, tags
from ml_modeling.registry.connection import connect
from ml_modeling.use_case import load_use_case
from tests.cases.lake import append_rows
from tests.cases.transactions import silver_row
from tests.integration.batch_processing.scoring import killed_scoring
from tests.integration.batch_processing.scoring.api import ask, served
from tests.integration.batch_processing.scoring.champions import fitted, register, serving
from tests.integration.batch_processing.scoring.conftest import AT, USE_CASES, Session, Shop
from tidemill.commands import scoring as scoring_command
from tidemill.config import Settings
from tidemill.config.environment import settings_environment

SCORES = table("gold/scores")
PATIENCE_S = 600.0  # a busy machine takes minutes for what else takes twenty seconds


@pytest.fixture(scope="module")
def api(spark: SparkSession, shop: Shop, champions: dict[str, str], redis_server: object) -> Iterator[FastAPI]:
    with served(spark, shop.settings, USE_CASES, AT) as app:
        yield app


def score_all(lake: Settings, use_case: str, session: Session, version: str | None = None) -> Scored:
    return score(lake, load_use_case(use_case), Window.at(AT), version, session)


def rows_of(lake: Settings, use_case: str, scoring_id: str | None = None) -> list[dict[str, Any]]:
    """All scores of a use case, or those of one scoring: other tests score it with models of their own."""
    found = open_table(SCORES, lake).to_pyarrow_table(filters=[("use_case", "=", use_case)]).to_pylist()
    chosen = [row for row in found if scoring_id in {None, row["scoring_id"]}]
    return sorted(chosen, key=lambda row: row["entity_id"])


def assert_as_the_api_answers(api: FastAPI, scored: list[dict[str, Any]], use_case: str, *fields: str) -> None:
    predictions = ask(api, use_case, [{"customer_id": row["entity_id"]} for row in scored])
    assert [prediction["degraded"] for prediction in predictions] == [[]] * len(scored)
    for field in fields:
        assert [row[field] for row in scored] == [prediction[field] for prediction in predictions]
        assert len({repr(row[field]) for row in scored}) > 1


def test_everybody_is_told_what_the_api_answers_at_that_time_to_the_last_bit(
    shop: Shop, champions: dict[str, str], api: FastAPI, session: Session
) -> None:
    done = score_all(shop.settings, "churn", session)
    found = rows_of(shop.settings, "churn", done.scoring_id)
    assert [row["entity_id"] for row in found] == sorted(shop.seen)
    assert len(found) > 2_000
    assert (done.rows, done.version) == (len(found), champions["churn"])
    assert_as_the_api_answers(api, found, "churn", "score", "decision")
    assert {row["scored_at"] for row in found} == {AT}
    assert {(row["is_cold_start"], row["model_run_id"], row["model_id"]) for row in found} == {
        (False, done.run_id, done.model_id)
    }
    assert found[0]["entities"] == [("customer_id", found[0]["entity_id"])]
    assert {row["features_as_of"] for row in found} == {max(line.at for line in shop.lines)}


def test_numbers_have_their_intervals(shop: Shop, champions: dict[str, str], api: FastAPI, session: Session) -> None:
    done = score_all(shop.settings, "next_spend", session)
    found = rows_of(shop.settings, "next_spend", done.scoring_id)
    assert [row["entity_id"] for row in found] == sorted(shop.seen)
    assert_as_the_api_answers(api, found, "next_spend", "value", "interval")


def test_what_is_there_is_not_scored_again(
    shop: Shop, champions: dict[str, str], session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    score_all(shop.settings, "churn", session)
    before, opened = open_table(SCORES, shop.settings).version(), session.opened
    again = score_all(shop.settings, "churn", session, champions["churn"])
    assert (again.is_new, again.rows, session.opened) == (False, len(shop.seen), opened)

    monkeypatch.setattr(scoring_command, "load_settings", lambda: shop.settings)
    told = CliRunner().invoke(scoring_command.score, ["churn", "--at", f"{AT:%FT%T.%fZ}"], catch_exceptions=False)
    assert f"{len(shop.seen):,} rows are in gold/scores already, of the same time, model and tables" in told.output
    assert open_table(SCORES, shop.settings).version() == before


@pytest.mark.matrix
def test_a_run_that_is_killed_leaves_nothing_and_the_next_one_does_it_all(
    shop: Shop, champions: dict[str, str], session: Session, tmp_path: Path
) -> None:
    at, marker = AT - timedelta(days=7), tmp_path / "written"
    line = [sys.executable, killed_scoring.__file__, "churn", at.isoformat(), str(marker)]
    environment = os.environ | settings_environment(shop.settings)
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(line, env=environment, start_new_session=True, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not marker.exists():
            assert process.poll() is None, log.read_text(encoding="utf-8")[-3000:]
            assert time.monotonic() < deadline, log.read_text(encoding="utf-8")[-3000:]
            time.sleep(0.05)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    assert at not in {row["scored_at"] for row in rows_of(shop.settings, "churn")}
    done = score(shop.settings, load_use_case("churn"), Window.at(at), None, session)
    seen = {line.customer_id for line in shop.lines if line.customer_id and line.at < at}
    assert (done.is_new, done.rows) == (True, len(seen))
    assert {row["entity_id"] for row in rows_of(shop.settings, "churn") if row["scored_at"] == at} == seen


def test_what_came_late_replaces_the_scores_of_the_same_time_and_another_model_has_its_own(
    shop: Shop, champions: dict[str, str], session: Session, tmp_path: Path
) -> None:
    lake = shop.settings.model_copy(update={"home": tmp_path})
    lines, transactions = shop.lines[:60], silver("shop.transaction.v1")
    create_table(transactions, lake)
    append_rows(lake, transactions, map(silver_row, lines))
    first = score_all(lake, "churn", session)
    late = replace(lines[0], at=AT - timedelta(days=1), customer_id="late", event_id="late")
    append_rows(lake, transactions, [silver_row(late)])
    second = score_all(lake, "churn", session)
    assert (second.is_new, second.rows) == (True, first.rows + 1)
    there = rows_of(lake, "churn")
    assert len(there) == second.rows
    assert {row["scoring_id"] for row in there} == {second.scoring_id}

    other = register(lake, "churn", serving("churn"), fitted("churn"), is_champion=False)
    score_all(lake, "churn", session, other)
    there = rows_of(lake, "churn")
    assert sorted(row["model_version"] for row in there) == sorted([champions["churn"], other] * second.rows)


def test_what_cannot_be_scored_is_said_before_spark_starts(
    shop: Shop, champions: dict[str, str], session: Session, tmp_path: Path
) -> None:
    create_table(SCORES, shop.settings)
    before = rows(open_table(SCORES, shop.settings))
    with pytest.raises(MlflowMissingError, match="reading model 'churn' version 4711"):
        score_all(shop.settings, "churn", session, "4711")
    with pytest.raises(NoModelError, match="model 'fraud' has no champion: name a version with --version"):
        score(shop.settings, load_use_case("fraud"), Window(AT, AT + timedelta(days=1)), None, session)
    empty = shop.settings.model_copy(update={"home": tmp_path})
    with pytest.raises(NoDataError, match=r"no table silver/transactions at .*: start the stream"):
        score_all(empty, "churn", session)

    other = serving("churn", feature_fingerprint="00ff")
    changed = register(shop.settings, "churn", other, fitted("churn"), is_champion=False)
    with pytest.raises(ModelFeaturesError, match=r"learnt from other features of the same names: .* train it again"):
        score_all(shop.settings, "churn", session, changed)
    more = serving("churn", features=("shoe_size", *serving("churn").features))
    changed = register(shop.settings, "churn", more, fitted("churn"), is_champion=False)
    with pytest.raises(ModelFeaturesError, match="takes shoe_size, which feature service 'churn' does not have"):
        score_all(shop.settings, "churn", session, changed)
    touched = register(shop.settings, "churn", serving("churn"), fitted("churn"), is_champion=False)
    connect(shop.settings).set_model_version_tag("churn", touched, tags.DIGEST, "0" * 64)
    with pytest.raises(UnreadableModelError, match="its files were changed since it was trained"):
        score_all(shop.settings, "churn", session, touched)
    assert (session.opened, rows(open_table(SCORES, shop.settings))) == (0, before)

"""The model server in this process, upon states that are made of a lake's events, answering at a time that is given."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import pyarrow.compute as pc
import pytest
from fastapi import FastAPI
from pyspark.sql import SparkSession

from feature_store import catalog
from feature_store.columns.events import Events
from feature_store.definitions.windows import micros
from feature_store.lake.silver import as_events, silver_events
from feature_store.lake.spans import ENTITY
from feature_store.online import reader
from feature_store.tiles import Layout, apply
from model_serving.app import create_app
from tests.cases.states import EPOCH, put_states, redis_of
from tidemill.config import Settings

UNIX = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
VERSION = 1
BATCH = 100


@contextmanager
def served(spark: SparkSession, lake: Settings, use_cases: Sequence[str], at: datetime) -> Iterator[FastAPI]:
    """The server with the registry's champions; its clock stands still at ``at``."""
    serving = lake.serving.model_copy(update={"use_cases": list(use_cases), "feature_timeout_s": 20.0})
    settings, now = lake.model_copy(update={"serving": serving}), micros(at - UNIX)
    for group in catalog.served_groups(use_cases):
        rows = silver_events(spark, settings, group).toArrow()
        entities = pc.dictionary_encode(rows[ENTITY].combine_chunks())
        events: Events = as_events(rows, group, entities.indices.to_numpy().astype(np.int64))
        ids = entities.dictionary.to_pylist()
        applied = now - micros(timedelta(seconds=5))
        versions = np.full(len(events), VERSION)
        states = apply(Layout.of(group), [None] * len(ids), events, versions, applied, EPOCH)
        put_states(settings, group, ids, states, VERSION, applied, applied)
    app = create_app(settings)
    server = app.state.server
    server.batcher.start()
    server.log.offer = lambda _: None
    for holder in server.holders.values():
        holder.refresh()
        assert holder.champion is not None, holder.load_error
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader, "time", SimpleNamespace(time_ns=lambda: now * 1000))
        yield app
    server.batcher.stop()
    server.reasons.stop()
    redis_of(settings).flushdb()


def ask(app: FastAPI, use_case: str, instances: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The prediction of each instance, in order."""

    async def asked() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            bodies = [{"instances": instances[first : first + BATCH]} for first in range(0, len(instances), BATCH)]
            return [await client.post(f"/predict/{use_case}", json=body) for body in bodies]

    responses = asyncio.run(asked())
    assert {response.status_code for response in responses} == {200}, responses[0].text
    return [prediction for response in responses for prediction in response.json()["predictions"]]

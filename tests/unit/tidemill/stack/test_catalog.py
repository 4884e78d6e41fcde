import uuid
from dataclasses import replace

import pytest

from stream_processing.flink.deployments import Deployment, record
from tidemill.config import Settings, load_settings
from tidemill.stack.catalog import RemoteServiceError, UnknownServiceError, catalog, select, waves
from tidemill.stack.services import kafka


def _names(settings: Settings, *asked: str) -> list[str]:
    return [service.name for service in select(catalog(settings), asked)]


def test_a_service_comes_after_those_it_needs(settings: Settings) -> None:
    services = list(catalog(settings).values())
    for position, service in enumerate(services):
        assert set(service.after) <= {earlier.name for earlier in services[:position]}


def test_asking_for_a_service_selects_what_it_needs(settings: Settings) -> None:
    assert _names(settings, "stream") == ["kafka", "redis", "stream"]
    assert _names(settings, "airflow-triggerer") == ["airflow-api-server", "airflow-triggerer"]
    assert _names(settings, "model-server", "redis") == ["kafka", "redis", "mlflow", "model-server"]


def test_asking_for_nothing_selects_everything_here_that_is_not_optional(settings: Settings) -> None:
    optional = ("flink-", "events", "nifi", "flume")
    assert _names(settings) == [name for name in catalog(settings) if not name.startswith(optional)]


def test_flink_is_selected_by_its_name_and_once_a_job_is_deployed(settings: Settings) -> None:
    flink = ["flink-job-manager", "flink-task-manager", "flink-jobs"]
    assert _names(settings, "flink") == ["kafka", *flink]
    job = Deployment("sessions", True, {}, None, ("a1",), "2026-03-02T00:00:00+00:00")
    record(settings, job)
    assert _names(settings)[-3:] == flink
    record(settings, replace(job, is_wanted=False))
    assert not set(flink) & set(_names(settings))


def test_events_over_http_are_selected_by_their_name(settings: Settings) -> None:
    assert _names(settings, "events") == ["kafka", "events"]


@pytest.mark.parametrize("name", ["nifi", "flume"])
def test_another_way_in_is_selected_by_its_name(settings: Settings, name: str) -> None:
    assert _names(settings, name) == ["kafka", name]


def test_an_unknown_service_is_refused_with_the_known_ones(settings: Settings) -> None:
    with pytest.raises(UnknownServiceError, match=r"'kafak'; known: kafka, redis, mlflow, .*model-server"):
        _names(settings, "kafak")


def test_a_service_on_another_machine_is_not_started_here() -> None:
    settings = load_settings({"TIDEMILL_REDIS__HOST": "redis.example.org"})
    assert "redis" not in _names(settings)
    assert _names(settings, "model-server") == ["kafka", "mlflow", "model-server"]
    with pytest.raises(RemoteServiceError, match=r"redis\.example\.org:6379 \(redis\.port\)"):
        _names(settings, "redis")


def test_nothing_of_the_cluster_profile_is_started_here() -> None:
    settings = load_settings({"TIDEMILL_PROFILE": "cluster"})
    started = {endpoint.host for service in select(catalog(settings), []) for endpoint in service.endpoints}
    assert started <= {"127.0.0.1"}


def test_a_wave_needs_only_those_before_it(settings: Settings) -> None:
    names = [sorted(service.name for service in wave) for wave in waves(catalog(settings).values())]
    assert names == [
        ["airflow-api-server", "flink-job-manager", "kafka", "mlflow", "redis"],
        [
            *("airflow-dag-processor", "airflow-scheduler", "airflow-triggerer"),
            *("events", "flink-task-manager", "flume", "model-server", "nifi", "stream"),
        ],
        ["flink-jobs"],
    ]


def test_no_cluster_id_looks_like_an_option() -> None:
    ids = {kafka.cluster_id(uuid.UUID(bytes=bytes([first]) * 16)) for first in range(256)}
    assert not [one for one in ids if one.startswith("-")]
    assert {len(one) for one in ids} == {22}
    assert len(ids) == 256

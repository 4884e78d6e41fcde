"""What the job manager gives to others than those who submit jobs."""

import httpx
import pytest

from tidemill.config import Settings

pytestmark = [pytest.mark.ingestion, pytest.mark.timeout(3_600)]


def test_only_flinks_own_pages_may_read_in_a_browser(flink: Settings) -> None:
    answer = httpx.get(
        f"{flink.flink.url}/config", headers={"Origin": "http://elsewhere.example"}, timeout=60.0, trust_env=False
    )
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == flink.flink.url


def test_no_jar_is_taken(flink: Settings) -> None:
    jar = {"jarfile": ("job.jar", b"PK", "application/x-java-archive")}
    assert httpx.post(f"{flink.flink.url}/jars/upload", files=jar, timeout=60.0, trust_env=False).is_client_error
    assert httpx.get(f"{flink.flink.url}/jars", timeout=60.0, trust_env=False).status_code == 404

"""What is made of NiFi's answers, and of those of another program at its address."""

from collections.abc import Iterator

import pytest

from ingestion_layer.nifi.rest import Nifi, NifiAwayError, NifiRefusedError
from tests.cases.pages import Pages, answer, serving
from tidemill.config import Settings, load_settings

GROUPS = b"""{"processGroups": [{
  "id": "a1", "revision": {"version": 3}, "component": {"name": "partner_files", "comments": "mine"},
  "runningCount": 4, "stoppedCount": 1, "invalidCount": 0, "somethingNew": {}
}]}"""


@pytest.fixture
def server() -> Iterator[Pages]:
    with serving() as pages:
        yield pages


@pytest.fixture
def nifi(server: Pages) -> Nifi:
    return Nifi(at(server.url.partition("/prices")[0]))


def at(url: str) -> Settings:
    return load_settings({"TIDEMILL_NIFI__URL": url})


def test_a_group_is_what_nifi_says_of_it(nifi: Nifi, server: Pages) -> None:
    server.script = [answer(200, GROUPS)]
    (group,) = nifi.groups()
    assert (group.id, group.component.name, group.component.comments) == ("a1", "partner_files", "mine")
    assert (group.running, group.stopped, group.invalid) == (4, 1, 0)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"processGroups": [{"id": 7}]}', b'{"groups": []}'])
def test_an_answer_that_is_not_nifis_is_told(nifi: Nifi, server: Pages, body: bytes) -> None:
    server.script = [answer(200, body)]
    with pytest.raises(NifiAwayError, match="is another program there"):
        nifi.groups()


def test_a_refusal_has_nifis_words(nifi: Nifi, server: Pages) -> None:
    server.script = [answer(409, b"Cannot enable\nthis now")]
    with pytest.raises(NifiRefusedError, match=r"answered 409 to GET .*: Cannot enable this now"):
        nifi.groups()


def test_nobody_at_the_address_is_told() -> None:
    with pytest.raises(NifiAwayError, match=r"does not answer .*`tidemill up nifi`"):
        Nifi(at("http://127.0.0.1:9")).groups()

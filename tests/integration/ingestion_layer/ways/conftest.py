"""A broker and a NiFi of these tests' own: both are killed."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial

import pytest

from tests.cases.pages import Pages, answer, serving
from tests.integration.ingestion_layer.ways.partner_folders import PartnerFolder, plain_python
from tests.integration.own_broker import OwnBroker, own_broker
from tidemill.config import Settings
from tidemill.stack.services import nifi as nifi_service
from tidemill.stack.supervision.running import running


@pytest.fixture(scope="package")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnBroker]:
    with own_broker(tmp_path_factory.mktemp("ways")) as broker:
        yield broker


@pytest.fixture(scope="package")
def nifis_pages() -> Iterator[Pages]:
    """The server whose page NiFi polls."""
    with serving() as pages:
        pages.script = [answer(200, b'{"prices": []}')]
        yield pages


@pytest.fixture(scope="package")
def nifi(broker: OwnBroker, nifis_pages: Pages) -> Iterator[Settings]:
    """NiFi with its flows; the value is the settings it runs with."""
    polls = {"pages": {"competitor_prices": nifis_pages.url}, "poll_s": 0.2}
    settings = broker.settings.model_copy(update={"nifi": broker.settings.nifi.model_copy(update=polls)})
    (service,) = nifi_service.services(settings)
    with running(service, settings):
        yield settings


FolderOf = Callable[[str], AbstractContextManager[PartnerFolder]]
"""The folder of a mapping, looked into while the block runs."""


@pytest.fixture(params=[pytest.param("nifi", marks=[pytest.mark.ingestion, pytest.mark.matrix]), "python"])
def folder_of(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> FolderOf:
    """Each kind of way in turn."""
    if request.param == "nifi":
        settings: Settings = request.getfixturevalue("nifi")
        return partial(_of_nifi, settings)
    broker: OwnBroker = request.getfixturevalue("broker")
    place = tmp_path_factory.mktemp("partner")
    return lambda mapping: plain_python(broker.settings, mapping, place / mapping)


def _of_nifi(settings: Settings, mapping: str) -> AbstractContextManager[PartnerFolder]:
    return nullcontext(PartnerFolder(settings, settings.home / "inbox" / mapping))

"""How NiFi is started: where it listens, what its processors are told, what is missing."""

import json
from pathlib import Path

import pytest

from tidemill.config import Settings, load_settings
from tidemill.config.secrets import secret
from tidemill.stack.service import MissingPrerequisiteError
from tidemill.stack.services import nifi


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    home = tmp_path / "a home with spaces, é"
    return load_settings(
        {
            "TIDEMILL_HOME": str(home).replace(",", ""),
            "TIDEMILL_SPARK__JARS": str(tmp_path / "jars" / "spark"),
            "TIDEMILL_NIFI__PAGES": '{"weather": "https://weather.example/now"}',
            "TIDEMILL_NIFI__URL": "http://127.0.0.1:18082",
            "TIDEMILL_NIFI__HEAP_MB": "512",
        }
    )


@pytest.fixture(autouse=True)
def there(monkeypatch: pytest.MonkeyPatch) -> None:
    """NiFi's parts and a Java are there."""
    monkeypatch.setattr(nifi, "is_made", lambda _: True)
    monkeypatch.setattr(nifi, "newer_java", lambda _: "/jvm/25/bin/java")
    monkeypatch.setattr(nifi, "java_major", lambda _: 25)


def properties(settings: Settings) -> dict[str, str]:
    (service,) = nifi.services(settings)
    (text,) = [text for name, text in service.launch().files.items() if name.endswith("nifi.properties")]
    return dict(line.split("=", maxsplit=1) for line in text.splitlines())


def test_it_listens_on_this_machine_alone_and_over_http(settings: Settings) -> None:
    said = properties(settings)
    assert (said["nifi.web.http.host"], said["nifi.web.http.port"]) == ("127.0.0.1", "18082")
    assert said["nifi.web.https.port"] == ""
    (service,) = nifi.services(settings)
    assert "-Dorg.apache.nifi.management.server.address=127.0.0.1:8083" in service.launch().command
    assert (service.is_optional, service.after) == (True, ("kafka",))


def test_all_that_it_writes_is_in_its_folder_of_the_home(settings: Settings) -> None:
    folder = str(settings.home / "nifi").encode("ascii", "backslashreplace").decode().replace("\\xe9", "\\u00e9")
    written = {
        name: value
        for name, value in properties(settings).items()
        if name.endswith(("directory", "directory.default", "configuration.file")) and "source" not in name
    }
    assert len(written) > 12
    elsewhere = {name: value for name, value in written.items() if not value.startswith(f"{folder}/")}
    assert list(elsewhere) == ["nifi.nar.library.directory"]


def test_its_key_is_generated_and_the_owners_alone(settings: Settings) -> None:
    assert properties(settings)["nifi.sensitive.props.key"] == secret(settings, "nifi_properties").get_secret_value()
    assert (settings.home / "secrets" / "nifi_properties").stat().st_mode & 0o777 == 0o600


def test_processors_are_told_the_settings_of_the_stack(settings: Settings) -> None:
    (service,) = nifi.services(settings)
    environment = service.launch().environment
    assert environment["TIDEMILL_KAFKA__BOOTSTRAP_SERVERS"] == settings.kafka.bootstrap_servers
    assert environment["PLATFORM_PYTHON"] == str(settings.platform_environment / "bin" / "python")
    assert environment["NIFI_INBOX"] == str(settings.home / "inbox")
    assert json.loads(environment["NIFI_PAGES"]) == [{"mapping": "weather", "url": "https://weather.example/now"}]


@pytest.mark.parametrize(("major", "has_option"), [(21, False), (23, True), (25, True)])
def test_an_option_of_newer_javas_is_given_to_them_alone(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, major: int, has_option: bool
) -> None:
    monkeypatch.setattr(nifi, "java_major", lambda _: major)
    (service,) = nifi.services(settings)
    assert ("--sun-misc-unsafe-memory-access=allow" in service.launch().command) == has_option
    assert "-Xmx512m" in service.launch().command


def test_without_its_parts_it_says_what_makes_them(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nifi, "is_made", lambda _: False)
    (service,) = nifi.services(settings)
    with pytest.raises(MissingPrerequisiteError, match=r"no NiFi in .*jars/nifi: run `make setup-nifi`"):
        service.launch()

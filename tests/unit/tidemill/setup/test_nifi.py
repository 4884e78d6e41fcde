"""NiFi's parts put together: an archive that is published as a list only, and modules that come in archives."""

import zipfile
from pathlib import Path

import pytest

from tidemill.config import Settings, load_settings
from tidemill.config.installation import POMS
from tidemill.setup import nifi

PYTHON = {"nifi-python-framework": "framework/Controller.py", "nifi-python-extension-api": "nifiapi/properties.py"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"TIDEMILL_SPARK__JARS": str(tmp_path / "jars" / "spark")})


@pytest.fixture(autouse=True)
def fetched(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A fetcher in Maven's place, and how often it was asked: it leaves files of the names that Maven's have."""
    asked: list[int] = []

    def fetch(given: Settings, _: object, names: list[str]) -> Path:
        asked.append(1)
        jars = given.spark.jars.parent
        for name in names:
            (jars / name).mkdir(parents=True, exist_ok=True)
        for library in ("avro-1.11.4.jar", "nifi-standard-processors-2.3.0.jar"):
            (jars / "nifi-standard" / library).write_text(library, encoding="utf-8")
        for name, module in PYTHON.items():
            with zipfile.ZipFile(jars / "nifi" / f"{name}-2.3.0.jar", "w") as archive:
                archive.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\n")
                archive.writestr(module, "answer = 42\n")
        return jars

    monkeypatch.setattr(nifi, "fetch_jars", fetch)
    return asked


def test_the_archive_has_its_libraries_and_names_the_one_it_comes_after(settings: Settings) -> None:
    folder = nifi.make_nifi(settings, lambda _: None)
    with zipfile.ZipFile(folder / "nifi-standard-nar-2.3.0.nar") as archive:
        libraries = [name for name in archive.namelist() if name.endswith(".jar")]
        manifest = archive.read("META-INF/MANIFEST.MF").decode()
        folders = [name for name in archive.namelist() if name.endswith("/")]
    place = "META-INF/bundled-dependencies"
    assert folders == ["META-INF/", f"{place}/"]
    assert libraries == [f"{place}/avro-1.11.4.jar", f"{place}/nifi-standard-processors-2.3.0.jar"]
    assert "Nar-Id: nifi-standard-nar\n" in manifest
    assert "Nar-Dependency-Id: nifi-standard-shared-nar\n" in manifest


def test_modules_of_python_lie_where_nifi_looks_for_them(settings: Settings) -> None:
    python = nifi.make_nifi(settings, lambda _: None) / "python"
    files = sorted(str(file.relative_to(python)) for file in python.rglob("*") if file.is_file())
    assert files == ["api/nifiapi/properties.py", "framework/Controller.py"]


def test_what_is_put_together_stays_until_a_pom_changes(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    for _ in range(2):
        folder = nifi.make_nifi(settings, said.append)
    assert (said, nifi.is_made(folder)) == (["putting NiFi together"], True)
    changed = tmp_path / "poms"
    for name in ("nifi", "nifi-standard"):
        (changed / name).mkdir(parents=True)
        pom = (POMS / name / "pom.xml").read_text(encoding="utf-8")
        (changed / name / "pom.xml").write_text(pom.replace("2.3.0", "2.4.0"), encoding="utf-8")
    monkeypatch.setattr(nifi, "POMS", changed)
    assert not nifi.is_made(folder)


def test_the_version_is_that_of_the_poms() -> None:
    for name in ("nifi", "nifi-standard"):
        assert f"<nifi.version>{nifi.VERSION}</nifi.version>" in (POMS / name / "pom.xml").read_text(encoding="utf-8")

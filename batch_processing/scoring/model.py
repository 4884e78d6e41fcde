"""The model that scores, as any process on any machine can have it: read once, from files whose digest is checked."""

from dataclasses import dataclass

from ml_modeling.registry import CHAMPION, ModelCache, NoModelError, Registered, ServedModel, alias_version, registered
from ml_modeling.registry.connection import connect, mlflow_errors
from ml_modeling.use_case import UseCase
from tidemill.config.errors import TerminalError
from tidemill.config.settings import Settings


class ModelFeaturesError(TerminalError):
    """A model that learnt from other features than there are now."""


@dataclass(frozen=True)
class StoredModel:
    """A registered version and where the registry has its files (``uri``)."""

    settings: Settings
    model: Registered
    uri: str

    @property
    def cache(self) -> ModelCache:
        """The copies on this machine of models that have scored."""
        return ModelCache(self.settings.home / "scoring" / "models" / self.model.name)

    def load(self) -> ServedModel:
        """The model, which a process reads from disk once.

        Raises:
            MlflowUnavailableError: there is no copy here, and the registry does not answer.
            UnreadableModelError: its files are not those that were trained, or none that this project can serve.
        """
        key = self.model.identity.key
        if key not in _LOADED:
            _LOADED[key] = self.cache.obtain(self.settings, self.model, self.uri)
        return _LOADED[key]


_LOADED: dict[str, ServedModel] = {}
"""What this process has read, by the identity's key."""


def stored_model(settings: Settings, use_case: str, version: str | None) -> StoredModel:
    """The registered ``version`` of a use case; the champion when it is None.

    Raises:
        NoModelError: there is no champion, and no version was named.
        MlflowMissingError: there is no such version.
    """
    if version is None:
        found = alias_version(settings, use_case, CHAMPION)
        if found is None:
            raise NoModelError(
                f"model {use_case!r} has no champion: name a version with --version, `tidemill models list` shows them"
            )
    else:
        client = connect(settings)
        with mlflow_errors(settings, f"reading model {use_case!r} version {version}"):
            found = client.get_model_version(use_case, version)
    return StoredModel(settings, registered(found), str(found.source))


def check_features(model: ServedModel, use_case: UseCase) -> None:
    """That ``model`` answers for ``use_case``, from features that are there and mean what they meant to it.

    Raises:
        ModelFeaturesError: it does not.
    """
    spec, service = model.spec, use_case.service
    what = f"version {model.version} of {model.name!r}"
    again = f"train it again: `tidemill models train {use_case.name}`"
    if spec.use_case != use_case.name:
        raise ModelFeaturesError(f"{what} is a model of {spec.use_case!r}: name a version of {use_case.name!r}")
    if missing := [name for name in spec.features if name not in service.names]:
        raise ModelFeaturesError(
            f"{what} takes {', '.join(missing)}, which feature service {service.name!r} does not have; {again}"
        )
    if spec.feature_fingerprint != service.fingerprint:
        raise ModelFeaturesError(
            f"{what} learnt from other features of the same names: feature service {service.name!r} has changed "
            f"since; {again}"
        )

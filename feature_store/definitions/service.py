"""A feature service: what one model reads, in the order the model reads it."""

from dataclasses import dataclass
from functools import cached_property

from feature_store.definitions.errors import DefinitionError, check_name
from feature_store.definitions.expressions import Derived, Expression, Input
from feature_store.definitions.fingerprint import fingerprint
from feature_store.definitions.group import Feature, FeatureGroup


@dataclass(frozen=True)
class FeatureService:
    """Features of groups, as they are or in expressions."""

    name: str
    features: tuple[Feature | Derived, ...]

    def __post_init__(self) -> None:
        check_name("FeatureService.name", self.name)
        where = f"FeatureService {self.name}: features"
        if not self.features or not all(isinstance(one, Feature | Derived) for one in self.features):
            raise DefinitionError(f"{where}: {self.features!r} is not made of features and derived features")
        names = [*self.names, *(one.name for one in self.inputs)]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise DefinitionError(f"{where}: {', '.join(twice)} stands there twice")
        groups = [group.name for group in self.groups]
        if twice := sorted({name for name in groups if groups.count(name) > 1}):
            raise DefinitionError(f"{where}: two different groups are called {', '.join(twice)}")

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(one.name for one in self.features)

    @cached_property
    def groups(self) -> tuple[FeatureGroup, ...]:
        """The groups it reads, each once, in order of first use."""
        return tuple(dict.fromkeys(leaf.group for leaf in self._leaves if isinstance(leaf, Feature)))

    @property
    def keys(self) -> tuple[str, ...]:
        """The key of each entity it is asked about, in order of first use."""
        return tuple(dict.fromkeys(group.entity.key for group in self.groups))

    def read_of(self, group: FeatureGroup) -> tuple[Feature, ...]:
        """The features of ``group`` that it reads, each once."""
        return tuple(dict.fromkeys(leaf for leaf in self._leaves if isinstance(leaf, Feature) and leaf.group == group))

    @cached_property
    def inputs(self) -> tuple[Input, ...]:
        """The numbers that a request must bring, each once, in order of first use."""
        return tuple(dict.fromkeys(leaf for leaf in self._leaves if isinstance(leaf, Input)))

    @cached_property
    def fingerprint(self) -> str:
        """A hash of what the model reads; the order counts."""
        return fingerprint({"features": [[one.name, _expression(one).meaning] for one in self.features]})

    @cached_property
    def _leaves(self) -> tuple[Expression, ...]:
        return tuple(leaf for one in self.features for leaf in _expression(one).leaves())


def _expression(feature: Feature | Derived) -> Expression:
    return feature.expression if isinstance(feature, Derived) else feature

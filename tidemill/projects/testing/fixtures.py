"""A plug-in of pytest for a project's own tests: ``-p tidemill.projects.testing.fixtures``."""

import pytest

from tidemill.projects.testing.definitions import Definitions


@pytest.fixture(scope="session")
def definitions() -> Definitions:
    """The project's definitions, to be asked for features, labels and what a contract refuses."""
    return Definitions()

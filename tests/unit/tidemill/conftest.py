from pathlib import Path

import pytest

from tidemill.config import Settings, load_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The local settings with a home of their own; nothing is started there."""
    return load_settings({"TIDEMILL_HOME": str(tmp_path / "home"), "TIDEMILL_SERVING__USE_CASES": '["churn"]'})

from pathlib import Path

import pytest
from pydantic import SecretStr

from config.environment import settings_environment
from config.settings import Settings, load_settings


@pytest.mark.parametrize("profile", ["local", "cluster"])
def test_a_child_process_gets_the_settings_of_its_parent(profile: str, tmp_path: Path) -> None:
    variables = {
        "TIDEMILL_PROFILE": profile,
        "TIDEMILL_HOME": str(tmp_path),
        "TIDEMILL_REDIS__PASSWORD": "s3cret",
        "TIDEMILL_KAFKA__CLIENT": '{"security.protocol": "SSL"}',
        "TIDEMILL_SERVING__USE_CASES": '["churn", "fraud"]',
        "TIDEMILL_STREAM__TRIGGER_S": "0.5",
    }
    settings = load_settings(variables)
    assert settings.redis.password == SecretStr("s3cret")
    assert load_settings(settings_environment(settings)) == settings


def test_settings_made_in_code_reach_the_child_too(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, platform_environment=tmp_path / "environment")
    assert load_settings(settings_environment(settings)) == settings

import pytest
from click.testing import CliRunner

from tidemill.commands.dags import _conf, command


def test_a_value_is_json_or_a_text() -> None:
    assert _conf(["trials=8", "use_case=churn", 'tags=["a"]', "reason=a=b", "empty="]) == {
        "trials": 8,
        "use_case": "churn",
        "tags": ["a"],
        "reason": "a=b",
        "empty": "",
    }


@pytest.mark.parametrize("pair", ["trials", "=8"])
def test_what_is_no_pair_is_named(pair: str) -> None:
    done = CliRunner().invoke(command, ["run", "train_churn", "--conf", pair])
    assert done.exit_code == 2
    assert f"'{pair}' is not KEY=VALUE" in done.output

"""What importing the package does to Feast's classes, and to nobody else's."""

import subprocess
import sys

import pytest
import typeguard

import feature_store

LOOK = "import feast; print('check_argument_types_internal' in feast.OnDemandFeatureView.__init__.__code__.co_names)"


@pytest.mark.parametrize(("first", "is_recompiled"), [("import feature_store", "False"), ("", "True")])
def test_feast_is_recompiled_unless_this_package_was_imported_first(first: str, is_recompiled: str) -> None:
    command = [sys.executable, "-c", f"{first}\n{LOOK}"]
    looked = subprocess.run(command, capture_output=True, text=True, check=True)
    assert looked.stdout.strip() == is_recompiled


def test_other_modules_are_checked_as_they_ask() -> None:
    assert typeguard.typechecked.__module__ == feature_store.__name__

    @typeguard.typechecked
    def count(number: int) -> int:
        return number

    with pytest.raises(typeguard.TypeCheckError):
        count("one")  # type: ignore[arg-type]

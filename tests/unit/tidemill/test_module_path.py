import os
import subprocess
import sys
from pathlib import Path

import pytest

from tidemill.config.settings import REPO
from tidemill.module_path import own_first


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A folder of PYTHONPATH whose modules have the names of ours and of a library's."""
    for name in ("data_lake", "use_cases", "click", "pydantic"):
        (tmp_path / f"{name}.py").write_text(f"raise RuntimeError('another {name}')\n", encoding="utf-8")
    return tmp_path


def test_a_command_imports_our_modules_whatever_python_path_holds(foreign: Path, tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": f"{foreign}{os.pathsep}{REPO}", "TIDEMILL_HOME": str(tmp_path)}
    command = [str(Path(sys.executable).parent / "tidemill"), "config", "show", "--json"]
    done = subprocess.run(command, env=environment, cwd=foreign, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_folders_of_python_path_are_left_out_but_for_pythons_own() -> None:
    own, library = Path("/own"), f"{sys.prefix}/lib/python/site-packages"
    path = ["/programs", "/foreign", str(Path.cwd()), library, "/lib/python", "/own"]
    given = os.pathsep.join(("/foreign/", library, "", "/own"))
    assert own_first(path, own, given) == ["/own", "/programs", library, "/lib/python"]

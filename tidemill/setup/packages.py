"""A folder with the platform's packages alone, for Airflow's Python.

An installed platform lies among its libraries in ``site-packages``, which are not those of Airflow: its Python must see
our packages and none of these.
"""

import os
from pathlib import Path

from tidemill.config.installation import PACKAGES, REPO, packages_folder
from tidemill.setup.lock import alone


def link_packages() -> Path:
    """Make the folder of links, and those that are missing or lead elsewhere."""
    folder = packages_folder()
    with alone(folder):
        folder.mkdir(exist_ok=True)
        for name in PACKAGES:
            link, target = folder / name, REPO / name
            if not link.is_symlink() or link.readlink() != target:
                partial = folder / f".{name}.{os.getpid()}"
                partial.unlink(missing_ok=True)
                partial.symlink_to(target)
                partial.replace(link)
    return folder

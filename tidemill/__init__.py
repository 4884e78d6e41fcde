"""What a person types: the ``tidemill`` command, ``doctor`` and the local stack."""

import os
import sys
from pathlib import Path

from tidemill.module_path import own_first

# Others have packages called config or contracts too: ours are those beside this one, whatever PYTHONPATH holds.
sys.path[:] = own_first(sys.path, Path(__file__).resolve().parent.parent, os.environ.get("PYTHONPATH", ""))

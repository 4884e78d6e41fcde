"""For tests that run in as many processes as there are cores."""

import os

# Libraries read these when they are loaded; threads that wait for each other's core cost more than they compute here.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

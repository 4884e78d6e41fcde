"""What tests of the benchmarks are drawn with."""

import numpy as np


def random(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)

"""What it costs to judge a message, by its shape, against a plain one of the same length.

    python benchmarks/judge.py [--length 65536]

The shapes are those of the test that no cost grows faster than the length (``tests/cases/adversarial.py``). A ratio
says how many times as long a message of that shape keeps the judge busy; the worst comes first.
"""

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from contracts import Checker
from tests.cases import adversarial


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--length", type=int, default=1 << 16, help="bytes of a message (default 65536)")
    length = parser.parse_args().length
    checker = Checker(adversarial.CONTRACT)
    plain = nanoseconds_a_byte(checker, adversarial.plain(length))
    print(f"{'plain':42} {plain:8.2f} ns/byte")
    costs = {name: nanoseconds_a_byte(checker, shape(length)) for name, shape in adversarial.SHAPES.items()}
    for name, cost in sorted(costs.items(), key=lambda item: -item[1]):
        print(f"{name:42} {cost:8.2f} ns/byte {cost / plain:8.1f} x plain")


def nanoseconds_a_byte(checker: Checker, message: bytes) -> float:
    """The least of five runs."""
    runs = []
    for _ in range(5):
        began = time.process_time_ns()
        checker.read(message)
        runs.append(time.process_time_ns() - began)
    return min(runs) / len(message)


if __name__ == "__main__":
    main()

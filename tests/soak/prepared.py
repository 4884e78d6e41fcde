"""A whole stack with a shop's history in the lake and two versions of a trained model, the second the champion."""

from collections import Counter
from collections.abc import Callable

from tests.soak.traffic import USE_CASE
from tests.troubles.stack import Stack

SERVICES = ("kafka", "redis", "mlflow", "stream", "model-server")
CUSTOMERS, DAYS = 1_500, 400
VERSIONS = 2
TRIALS, SEARCH_S = 3, 30
CATCH_UP_S = 400

Say = Callable[[str], None]


def prepare(stack: Stack, seed: int, say: Say) -> Counter[str]:
    """Start the stack, send the history, wait until the lake has it, and train; the messages sent by topic."""
    say("starting the stack")
    stack.tidemill("up", *SERVICES)
    say(f"sending {DAYS} days of {CUSTOMERS:,} customers")
    history = ("--customers", str(CUSTOMERS), "--days", str(DAYS), "--seed", str(seed), "--faults", "default")
    sent = stack.json("produce", "simulator", *history)["by_topic"]
    say("waiting until the lake has them")
    stack.tidemill("reconcile", "--wait", str(CATCH_UP_S))
    for number in range(VERSIONS):
        say(f"training version {number + 1}")
        _train(stack)
    return Counter({topic: counts["produced"] for topic, counts in sent.items()})


def _train(stack: Stack) -> None:
    run = stack.json("models", "train", USE_CASE, "--trials", str(TRIALS), "--timeout", str(SEARCH_S))["run_id"]
    stack.tidemill("models", "evaluate", USE_CASE, "--run", run)
    verdict = stack.json("models", "gate", USE_CASE, "--run", run)
    if not verdict["passed"]:
        raise RuntimeError(f"a model that was to be served did not pass its gates: {verdict['reasons']}")
    version = stack.json("models", "register", USE_CASE, "--run", run)["version"]
    stack.tidemill("models", "promote", USE_CASE, str(version), "--reason", "to be served by the soak")

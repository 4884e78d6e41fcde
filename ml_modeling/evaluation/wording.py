"""A question in words: for the model card, and for the parameters of a run."""

from collections.abc import Mapping, Sequence

from feature_store.definitions import Absence, Filter, FutureAggregate, Moments, Outcome, Own, Question


def asked(question: Question) -> str:
    """What is asked, in a sentence."""
    match question:
        case Absence():
            return f"For {_active(question)}: whether no other one follows within {question.horizon.days} days."
        case FutureAggregate():
            column = f" of {question.aggregation.column}" if question.aggregation.column else ""
            return (
                f"For {_active(question)}: the {question.aggregation.function.value}{column} of such events in the "
                f"{question.horizon.days} days that follow ({question.answer})."
            )
        case Outcome():
            return (
                f"For each event of {question.events.table}{_such(question.filters)}, at its own time: what "
                f"{question.of.table} says later in {question.label} ({question.answer})."
            )
        case Own():
            return f"What {question.rows.__module__}.{question.rows.__name__} makes rows of ({question.answer})."


def proven_on(question: Question) -> str:
    """Of whom or what the test says how good the model is."""
    match question:
        case Absence() | FutureAggregate():
            return (
                f"It was tested on entities active within {question.active.days} days; others are scored without proof."
            )
        case _:
            return "It was tested on events that have their label; of others nobody knows what they were."


def described_label(question: Question) -> Mapping[str, str]:
    """The question as parameters of a run."""
    described = {"label.kind": type(question).__name__, "label.task": question.answer.task.value}
    if question.moments is Moments.CUTOFFS and isinstance(question, Absence | FutureAggregate):
        described |= {
            "label.horizon_days": str(question.horizon.days),
            "label.active_days": str(question.active.days),
        }
    return described


def _active(question: Absence | FutureAggregate) -> str:
    return f"a {question.entity.name} with an event{_such(question.filters)} in the {question.active.days} days before"


def _such(filters: Sequence[Filter]) -> str:
    """The filters in brackets, with what they compare with."""
    said = [
        " ".join([one.column, one.comparison.value, *(str(operand) for operand in one.operands)]) for one in filters
    ]
    return f" ({', '.join(said)})" if said else ""

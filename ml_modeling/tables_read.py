"""Which tables a use case learns from."""

from ml_modeling.use_case import UseCase


def tables_read(use_case: UseCase) -> list[str]:
    """Those of its question and of its features, each once, in their order."""
    of_question = (source.table for source, _ in use_case.question.reads)
    of_features = (group.source.table for group in use_case.service.groups)
    return list(dict.fromkeys([*of_question, *of_features]))

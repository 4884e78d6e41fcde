from model_serving.schemas import DegradedReason


def test_every_degraded_reason_is_described() -> None:
    described = DegradedReason.__doc__ or ""

    assert [reason for reason in DegradedReason if f"`{reason}`" not in described] == []

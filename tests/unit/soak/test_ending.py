"""Which answers a killed server may have taken with it."""

from tests.soak.ending import UNSENT_S, unsent
from tests.soak.faults import Fault
from tests.soak.plan import kill


def test_a_killed_server_loses_its_last_seconds_and_what_had_waited_for_a_broker() -> None:
    faults = [
        Fault(kill("kafka"), "", 1000.0, repaired_at=1030.0),
        Fault(kill("model-server"), "", 1200.0, repaired_at=1210.0),
        Fault(kill("kafka"), "", 1320.0),
        Fault(kill("kafka"), "", 1400.0, repaired_at=1450.0),
        Fault(kill("model-server"), "", 1440.0, repaired_at=1460.0),
    ]
    assert unsent(faults) == [(1200.0 - UNSENT_S, 1201.0), (1320.0 - UNSENT_S, 1441.0)]
    assert unsent(faults[:1]) == []

"""What other hands do to silver: states follow it, and its columns are their own affair."""

from decimal import Decimal

from deltalake import Field
from deltalake.schema import PrimitiveType

from data_lake import tables
from data_lake.delta_rs import open_table
from tests.troubles.stack import Stack, click, purchase

TRANSACTIONS, CLICKS = "shop.transaction.v1", "shop.click.v1"
SPENT = "purchases__amount_sum_365d"


def state(stack: Stack, customer: str) -> tuple[str, float | None]:
    """What the state of purchases says of itself, and what was spent."""
    (row,) = stack.json("features", "get", customer)
    return row["status"]["purchases"], row["features"][SPENT]


def test_a_state_is_what_silver_is_after_a_delete_and_a_restore(stack: Stack) -> None:
    silver = tables.silver(TRANSACTIONS)
    events = [purchase(f"{name}-{n}", name, 13.0) for name in ("c-erased", "c-beside") for n in range(2)]
    stack.produce(TRANSACTIONS, events)
    stack.wait(lambda: state(stack, "c-erased") == ("OK", 26.0), "two purchases are in the state")
    stack.wait(lambda: state(stack, "c-beside") == ("OK", 26.0), "those of another too")
    whole = open_table(silver, stack.settings).version()
    open_table(silver, stack.settings).delete("customer_id = 'c-erased'")
    stack.wait(lambda: state(stack, "c-erased")[0] == "NO_STATE", "who was erased has no state")
    assert state(stack, "c-beside") == ("OK", 26.0)
    open_table(silver, stack.settings).restore(whole)
    stack.wait(lambda: state(stack, "c-erased") == ("OK", 26.0), "what was restored counts again, once")
    assert state(stack, "c-beside") == ("OK", 26.0)
    stack.produce(TRANSACTIONS, [purchase("c-erased-2", "c-erased", 1.0)])
    stack.wait(lambda: state(stack, "c-erased") == ("OK", 27.0), "and what comes after it")
    operations = {row["operation"] for row in stack.json("features", "corrections") if row["source"] == silver.name}
    assert {"DELETE", "RESTORE"} <= operations


def test_a_column_that_others_add_is_left_alone(stack: Stack) -> None:
    clicks = open_table(tables.silver(CLICKS), stack.settings)
    clicks.alter.add_columns([Field("campaign", PrimitiveType("string"), nullable=True)])
    stack.produce(CLICKS, [click("beside", "s-campaign")])
    stack.wait_for_rows("select campaign from silver.clicks where session_id = 's-campaign'", [(None,)])
    assert stack.sentence(f"silver/{CLICKS}") == ""
    stack.reconciled(CLICKS)


def test_after_a_delete_by_another_writer_texts_are_still_found(stack: Stack) -> None:
    stack.produce(TRANSACTIONS, [purchase(f"w-{n}", customer) for n, customer in enumerate(("c-gone", "c-stays"))])
    lines = "select unit_price from silver.transactions where customer_id = '{}' and currency like 'G%'"
    stack.wait_for_rows(lines.format("c-gone"), [(Decimal("2.5"),)])
    stack.wait_for_rows(lines.format("c-stays"), [(Decimal("2.5"),)])
    silver = open_table(tables.silver(TRANSACTIONS), stack.settings)
    whole = silver.version()
    silver.delete("customer_id = 'c-gone'")
    stack.wait_for_rows(lines.format("c-gone"), [])
    stack.wait_for_rows(lines.format("c-stays"), [(Decimal("2.5"),)])
    silver.restore(whole)
    stack.wait_for_rows(lines.format("c-gone"), [(Decimal("2.5"),)])

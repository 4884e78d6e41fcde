"""The groups of rows, as of the moment that each is asked about: against the same sentence as a loop."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from pyspark.sql import SparkSession

from data_lake.delta_tables import ensure_table
from data_lake.tables import table
from ml_modeling.questions import EVENT_TIMESTAMP, Tables
from ml_modeling.questions.profiles import profile_source, with_groups
from ml_modeling.specification import BinaryFairness
from ml_modeling.use_case import load_use_case
from tests.cases.lake import append_rows
from tests.cases.silver_rows import row
from tidemill.config import Settings

CHURN = load_use_case("churn")
FAIR = BinaryFairness(columns=("region", "age_band"))
ASKED = datetime(2026, 3, 1, tzinfo=UTC)
TICK = timedelta(microseconds=1)
SAID = [
    ("before", ASKED - timedelta(days=40), "north", "18-24"),
    ("moved", ASKED - timedelta(days=40), "north", "18-24"),
    ("moved", ASKED - TICK, "south", "25-34"),
    ("moves later", ASKED - timedelta(days=40), "north", "18-24"),
    ("moves later", ASKED, "south", "25-34"),
    ("signs up later", ASKED + timedelta(days=1), "south", "65+"),
    ("says less", ASKED - timedelta(days=9), "north", "65+"),
    ("says less", ASKED - timedelta(days=8), "north", None),
    ("twice at once", ASKED - timedelta(days=7), "west", "65+"),
    ("twice at once", ASKED - timedelta(days=7), "east", "65+"),
]
CUSTOMERS = sorted({said[0] for said in SAID} | {"nobody"})


def naive(customer: str, at: datetime) -> tuple[str, str]:
    """The latest said before ``at``; of equal times the last by event id, which is the order of SAID."""
    known = [said for said in SAID if said[0] == customer and said[1] < at]
    if not known:
        return "unknown", "unknown"
    _, _, region, age_band = max(enumerate(known), key=lambda said: (said[1][1], said[0]))[1]
    return region or "unknown", age_band or "unknown"


def test_groups_are_those_of_the_last_profile_before_the_row_and_never_of_a_later_one(
    spark: SparkSession, settings: Settings, tmp_path: Path
) -> None:
    lake = settings.model_copy(update={"home": tmp_path})
    for name in ("silver/transactions", "silver/customers"):
        ensure_table(spark, table(name), lake)
    moments = (ASKED, ASKED + timedelta(days=30))
    asked = [(customer, at, f"{customer} {at:%m}") for customer in CUSTOMERS for at in moments]
    spine = spark.createDataFrame(asked, f"customer_id string, {EVENT_TIMESTAMP} timestamp, kept string")
    rows = [
        row(f"{number:03}", at, customer_id=customer, region=region, age_band=age_band, sign_up_channel=None)
        for number, (customer, at, region, age_band) in enumerate(SAID)
    ]
    append_rows(lake, table("silver/customers"), rows)

    tables = Tables.of(spark, lake, CHURN.question, CHURN.service, [profile_source(FAIR)])
    found = with_groups(tables, spine, CHURN.question.entity, FAIR).collect()

    assert set(tables.versions) == {"silver/transactions", "silver/customers"}
    assert {one["kept"]: (one["group_of__region"], one["group_of__age_band"]) for one in found} == {
        kept: naive(customer, at) for customer, at, kept in asked
    }
    assert len(found) == len(asked)


def test_without_a_table_of_profiles_everybody_is_unknown(
    spark: SparkSession, settings: Settings, tmp_path: Path
) -> None:
    lake = settings.model_copy(update={"home": tmp_path})
    ensure_table(spark, table("silver/transactions"), lake)
    tables = Tables.of(spark, lake, CHURN.question, CHURN.service, [profile_source(FAIR)])
    spine = spark.createDataFrame([("c1", ASKED)], f"customer_id string, {EVENT_TIMESTAMP} timestamp")
    (found,) = with_groups(tables, spine, CHURN.question.entity, FAIR).collect()
    assert (found["group_of__region"], found["group_of__age_band"]) == ("unknown", "unknown")

"""What tables are expected to be beyond their contracts: suites, a YAML file each, read and checked without a JVM."""

from data_lake.expectations.kinds import (
    Distribution,
    Expectation,
    Freshness,
    Known,
    Measure,
    NullShare,
    Severity,
    Unique,
    Volume,
)
from data_lake.expectations.suite import Suite, SuiteError, read_suite, suite_problems, suites_of, tables_with_suites

__all__ = [
    "Distribution",
    "Expectation",
    "Freshness",
    "Known",
    "Measure",
    "NullShare",
    "Severity",
    "Suite",
    "SuiteError",
    "Unique",
    "Volume",
    "read_suite",
    "suite_problems",
    "suites_of",
    "tables_with_suites",
]

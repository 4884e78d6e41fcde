"""The equation between broker and lake, computed from the broker's offsets and the tables themselves."""

from data_lake.reconciliation.reconcile import reconcile
from data_lake.reconciliation.report import Finding, Report, TopicReport
from data_lake.reconciliation.wait import wait_until_it_holds

__all__ = ["Finding", "Report", "TopicReport", "reconcile", "wait_until_it_holds"]

"""The lakehouse: which Delta tables exist, the Spark session, reconciliation and maintenance."""

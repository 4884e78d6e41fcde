"""What contracts cannot see: each changed date of a table, measured by Spark and judged by Great Expectations."""

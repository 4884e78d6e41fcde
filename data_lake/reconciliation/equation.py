"""The equation, each part as SQL over the index that returns the rows which break it.

A query's columns are ``what`` (names the row) and ``rows`` (how many rows it stands for).
"""

MISSING_IN_BRONZE = """
WITH wanted AS (SELECT partition, least(low, coalesce((SELECT min("offset") FROM bronze b
                       WHERE b.partition = broker.partition), low)) AS first, high FROM broker),
     edges AS (SELECT partition, "offset" FROM bronze UNION ALL SELECT partition, high FROM wanted),
     steps AS (SELECT partition, "offset", lag("offset") OVER (PARTITION BY partition ORDER BY "offset") AS before
               FROM edges)
SELECT 'partition ' || partition || ' offsets ' || (coalesce(before, first - 1) + 1) || ' to ' || ("offset" - 1)
           AS what,
       "offset" - coalesce(before, first - 1) - 1 AS rows
FROM steps JOIN wanted USING (partition) WHERE "offset" > coalesce(before, first - 1) + 1
ORDER BY partition, "offset"
"""

REPEATED_IN_BRONZE = """
SELECT message(partition, "offset") AS what, count(*) - 1 AS rows
FROM bronze GROUP BY partition, "offset" HAVING count(*) > 1
"""

REPEATED_IN_QUARANTINE = """
SELECT message(partition, "offset") AS what, count(*) - 1 AS rows
FROM quarantine GROUP BY partition, "offset" HAVING count(*) > 1
"""

REPEATED_IN_SILVER = """
SELECT 'event ' || event_id || ' of ' || event_date AS what, count(*) - 1 AS rows
FROM silver GROUP BY event_id, event_date HAVING count(*) > 1
"""

LOST = """
WITH lost AS (SELECT partition, "offset" FROM bronze
              ANTI JOIN quarantine USING (partition, "offset")
              ANTI JOIN silver USING (event_id, event_date)),
     runs AS (SELECT *, "offset" - row_number() OVER (PARTITION BY partition ORDER BY "offset") AS run FROM lost)
SELECT 'partition ' || partition || ' offsets ' || min("offset") || ' to ' || max("offset") AS what, count(*) AS rows
FROM runs GROUP BY partition, run ORDER BY partition, run
"""

IN_BOTH = """
SELECT message(partition, "offset") AS what, 1 AS rows FROM quarantine SEMI JOIN silver USING (partition, "offset")
"""

WRONG_REASON = """
SELECT message(partition, "offset") || ' is ' || q.reason || ', the contract says ' || coalesce(b.reason, 'valid')
           AS what, 1 AS rows
FROM quarantine q JOIN bronze b USING (partition, "offset")
WHERE coalesce(b.reason, q.reason) != q.reason
   OR (b.reason IS NULL AND q.reason NOT IN ('unrepresentable', 'time_out_of_range'))
"""

INVALID_IN_SILVER = """
SELECT message(partition, "offset") || ' is ' || reason AS what, 1 AS rows FROM bronze b
SEMI JOIN silver USING (partition, "offset") WHERE reason IS NOT NULL
"""

SILVER_WITHOUT_BRONZE = """
SELECT message(partition, "offset") || ' event ' || event_id AS what, 1 AS rows
FROM (SELECT s.* FROM silver s JOIN broker USING (partition) WHERE "offset" < high
      AND "offset" >= (SELECT min("offset") FROM bronze b WHERE b.partition = s.partition)) recent
ANTI JOIN bronze_all USING (partition, "offset", event_id, event_date)
"""

QUARANTINE_WITHOUT_BRONZE = """
SELECT message(partition, "offset") AS what, 1 AS rows FROM quarantine ANTI JOIN bronze_all USING (partition, "offset")
"""

UNKNOWN_PARTITION = """
SELECT 'partition ' || partition AS what, count(*) AS rows FROM bronze_all ANTI JOIN broker USING (partition)
GROUP BY partition ORDER BY partition
"""

CHECKS: dict[str, str] = {
    "the broker has them, bronze does not": MISSING_IN_BRONZE,
    "more than once in bronze": REPEATED_IN_BRONZE,
    "in bronze, from a partition that the broker does not have": UNKNOWN_PARTITION,
    "in bronze, but neither in quarantine nor in silver": LOST,
    "in quarantine and in silver": IN_BOTH,
    "more than once in quarantine": REPEATED_IN_QUARANTINE,
    "more than once in silver": REPEATED_IN_SILVER,
    "in quarantine for another reason than the contract's": WRONG_REASON,
    "in silver against the contract": INVALID_IN_SILVER,
    "in silver without its message in bronze": SILVER_WITHOUT_BRONZE,
    "in quarantine without its message in bronze": QUARANTINE_WITHOUT_BRONZE,
}

COUNTS = """
WITH valid AS (SELECT event_id, event_date FROM bronze ANTI JOIN quarantine USING (partition, "offset")),
     keys AS (SELECT DISTINCT event_id, event_date FROM valid)
SELECT (SELECT count(*) FROM bronze) AS bronze_rows,
       (SELECT count(*) FROM quarantine) AS quarantine_rows,
       (SELECT count(*) FROM valid) AS valid_rows,
       (SELECT count(*) FROM keys) AS valid_keys,
       (SELECT count(*) FROM silver SEMI JOIN keys USING (event_id, event_date)) AS silver_rows
"""

PARTITIONS = """
SELECT partition, low, high, count("offset"), min("offset"), max("offset")
FROM broker LEFT JOIN bronze USING (partition) GROUP BY partition, low, high ORDER BY partition
"""

REASONS = "SELECT reason, count(*) FROM quarantine GROUP BY reason ORDER BY reason"

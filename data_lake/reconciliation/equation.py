"""The equation, each part as SQL over the index that returns the rows which break it.

A query's columns are ``what`` (names the row) and ``rows`` (how many rows it stands for).
"""

LACKING = """
WITH begun AS (SELECT generation, partition, min("offset") AS begin FROM bronze GROUP BY generation, partition),
     wanted AS (SELECT generation, partition, high, coalesce(first, least(low, begin)) AS first
                FROM broker LEFT JOIN begun USING (generation, partition)
                WHERE generation = (SELECT max(generation) FROM broker)),
     spans AS (SELECT partition, "offset" AS first, "offset" AS last FROM bronze SEMI JOIN wanted USING (generation)
               UNION ALL SELECT partition, first, last FROM accepted SEMI JOIN wanted USING (generation)
               UNION ALL SELECT partition, high, high FROM wanted),
     steps AS (SELECT partition, first AS next, max(last) OVER (PARTITION BY partition ORDER BY first, last
                      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before FROM spans)
SELECT generation, partition, greatest(before + 1, first) AS first, next - 1 AS last
FROM steps JOIN wanted USING (partition) WHERE next > greatest(before + 1, first)
ORDER BY partition, first
"""
"""The ranges of offsets that bronze lacks of the current generation, but for losses that were accepted."""

MISSING_IN_BRONZE = """
WITH runs AS (SELECT *, "offset" - row_number() OVER (PARTITION BY partition ORDER BY "offset") AS run FROM readable)
SELECT messages(generation, partition, min("offset"), max("offset")) AS what, count(*) AS rows
FROM runs GROUP BY generation, partition, run ORDER BY partition, run
"""

GONE = """
WITH below AS (SELECT generation, partition, l.first, least(last, low - 1) AS last
               FROM lacking l JOIN broker USING (generation, partition) WHERE l.first < low),
     marks AS (SELECT b.*, "offset" AS mark FROM below b JOIN readable r
                   ON (b.generation, b.partition) = (r.generation, r.partition) AND "offset" BETWEEN b.first AND last
               UNION ALL SELECT *, last + 1 FROM below),
     steps AS (SELECT *, lag(mark, 1, first - 1) OVER (PARTITION BY generation, partition, first ORDER BY mark)
                         AS before FROM marks)
SELECT messages(generation, partition, before + 1, mark - 1) AS what, mark - before - 1 AS rows
FROM steps WHERE mark > before + 1 ORDER BY partition, mark
"""
"""Of what bronze lacks below the broker's beginning, all that was not read of the broker before it went."""

CLOSED = """
SELECT 'generation ' || generation || ' partition ' || partition || ': ' || count("offset") || ' rows, ' || rows
           || ' when it ended' AS what, abs(rows - count("offset")) AS rows
FROM closed LEFT JOIN bronze_all USING (generation, partition) GROUP BY generation, partition, closed.rows
HAVING count("offset") != closed.rows
"""

ABORTED = """
WITH runs AS (SELECT *, "offset" - row_number() OVER (PARTITION BY partition ORDER BY "offset") AS run
              FROM (SELECT DISTINCT * FROM aborted))
SELECT messages(generation, partition, min("offset"), max("offset")) AS what, count(*) AS rows
FROM runs GROUP BY generation, partition, run ORDER BY partition, run
"""

REPEATED_IN_BRONZE = """
SELECT message(generation, partition, "offset") AS what, count(*) - 1 AS rows
FROM bronze GROUP BY generation, partition, "offset" HAVING count(*) > 1
"""

REPEATED_IN_QUARANTINE = """
SELECT message(generation, partition, "offset") AS what, count(*) - 1 AS rows
FROM quarantine GROUP BY generation, partition, "offset" HAVING count(*) > 1
"""

REPEATED_IN_SILVER = """
SELECT 'event ' || event_id || ' of ' || source AS what, count(*) - 1 AS rows
FROM silver GROUP BY source, event_id HAVING count(*) > 1
"""

LOST = """
WITH rest AS (SELECT * FROM bronze ANTI JOIN quarantine USING (generation, partition, "offset")
              ANTI JOIN silver USING (generation, partition, "offset")),
     lost AS (SELECT generation, partition, "offset" FROM rest
              ANTI JOIN same USING (generation, partition, "offset")),
     runs AS (SELECT *, "offset" - row_number() OVER (PARTITION BY generation, partition ORDER BY "offset") AS run
              FROM lost)
SELECT messages(generation, partition, min("offset"), max("offset")) AS what, count(*) AS rows
FROM runs GROUP BY generation, partition, run ORDER BY generation, partition, run
"""

IN_BOTH = """
SELECT message(generation, partition, "offset") AS what, 1 AS rows
FROM quarantine SEMI JOIN silver USING (generation, partition, "offset")
"""

WRONG_REASON = """
SELECT message(generation, partition, "offset") || ' is ' || q.reason
           || CASE b.reason WHEN 'time_out_of_range' THEN ', its time says ' ELSE ', the contract says ' END
           || coalesce(b.reason, 'valid') AS what, 1 AS rows
FROM (FROM quarantine ANTI JOIN done USING (generation, partition, "offset")) q
JOIN bronze b USING (generation, partition, "offset")
WHERE coalesce(b.reason, q.reason) != q.reason
   OR (b.reason IS NULL AND q.reason NOT IN ('conflict', 'time_out_of_range', 'unprocessable'))
"""

WITHIN_BOUNDS = """
SELECT message(generation, partition, "offset") AS what, 1 AS rows
FROM quarantine q JOIN bronze b USING (generation, partition, "offset")
ANTI JOIN done USING (generation, partition, "offset")
WHERE q.reason = 'time_out_of_range' AND b.reason IS NULL
"""

ELSEWHERE = """
SELECT message(r.generation, r.partition, r."offset") || ' to ' || message(b.generation, b.partition, b."offset")
           AS what, 1 AS rows
FROM replayed r JOIN bronze b
    ON (b.generation, b.partition, b."offset") = (r.new_generation, r.new_partition, r.new_offset)
WHERE b.reason IS NULL AND (b.source, b.event_id) != (r.source, r.event_id)
"""

OUT_OF_BOUNDS = """
SELECT message(generation, partition, "offset") AS what, 1 AS rows
FROM bronze b SEMI JOIN silver USING (generation, partition, "offset") WHERE reason = 'time_out_of_range'
"""

UNFOUNDED_CONFLICT = """
SELECT message(generation, partition, "offset") AS what, 1 AS rows
FROM (SELECT * FROM quarantine WHERE reason = 'conflict')
ANTI JOIN (FROM other UNION ALL FROM kept WHERE NOT is_told) USING (generation, partition, "offset")
"""

SILENT_CONFLICT = """
SELECT message(generation, partition, "offset") || ' event ' || event_id || ' of ' || source AS what, 1 AS rows
FROM bronze SEMI JOIN other USING (generation, partition, "offset")
ANTI JOIN quarantine USING (generation, partition, "offset")
"""

INVALID_IN_SILVER = """
SELECT message(generation, partition, "offset") || ' is ' || reason AS what, 1 AS rows FROM bronze b
SEMI JOIN silver USING (generation, partition, "offset") WHERE reason != 'time_out_of_range'
"""

OTHER_VALUES = """
SELECT message(generation, partition, "offset") || ': ' || array_to_string(changed, ', ') AS what, 1 AS rows
FROM differences JOIN bronze USING (generation, partition, "offset") WHERE len(changed) > 0
"""

LACKING_VALUES = """
SELECT message(generation, partition, "offset") || ': ' || array_to_string(lacking, ', ') AS what, 1 AS rows
FROM differences JOIN bronze USING (generation, partition, "offset") WHERE len(changed) = 0 AND len(lacking) > 0
"""

SILVER_WITHOUT_BRONZE = """
SELECT message(generation, partition, "offset") || ' event ' || event_id AS what, 1 AS rows
FROM (SELECT s.* FROM silver s JOIN broker USING (generation, partition) WHERE "offset" < high AND "offset" >=
      (SELECT min("offset") FROM bronze b WHERE b.generation = s.generation AND b.partition = s.partition)) recent
ANTI JOIN bronze_all USING (generation, partition, "offset", source, event_id, time)
"""

QUARANTINE_WITHOUT_BRONZE = """
SELECT message(generation, partition, "offset") AS what, 1 AS rows
FROM quarantine ANTI JOIN bronze_all USING (generation, partition, "offset")
"""

UNKNOWN_PARTITION = """
SELECT of_generation(generation) || 'partition ' || partition AS what, count(*) AS rows
FROM bronze_all ANTI JOIN broker USING (generation, partition)
GROUP BY generation, partition ORDER BY generation, partition
"""

AGAIN = "`tidemill lake rejudge TOPIC` judges again"
BOUNDS = f"stream.earliest_event and stream.latest_skew_s ({AGAIN} by what they are now)"

CHECKS: dict[str, str] = {
    "the broker has them, bronze does not": MISSING_IN_BRONZE,
    "bronze never had them, and the broker no longer has them": GONE,
    "rows of a generation that ended, counted then and now": CLOSED,
    "in bronze, but of transactions that were aborted": ABORTED,
    "more than once in bronze": REPEATED_IN_BRONZE,
    "in bronze, from a partition that the broker does not have": UNKNOWN_PARTITION,
    "in bronze, but neither in quarantine nor in silver": LOST,
    "in quarantine and in silver": IN_BOTH,
    "more than once in quarantine": REPEATED_IN_QUARANTINE,
    "more than once in silver": REPEATED_IN_SILVER,
    "in quarantine for another reason than the contract's": WRONG_REASON,
    f"in quarantine as time_out_of_range, though within {BOUNDS}": WITHIN_BOUNDS,
    "replayed by the record, but bronze has another event where it was sent to": ELSEWHERE,
    "in quarantine as a conflict, though silver has no other event of that identity": UNFOUNDED_CONFLICT,
    "of an identity that silver has with another time or data, and not in quarantine": SILENT_CONFLICT,
    "in silver against the contract": INVALID_IN_SILVER,
    f"in silver, though its time is beyond {BOUNDS}": OUT_OF_BOUNDS,
    "in silver with another value than its message's": OTHER_VALUES,
    f"in silver without a value that its message has, and an older contract did not know ({AGAIN})": LACKING_VALUES,
    "in silver without its message in bronze": SILVER_WITHOUT_BRONZE,
    "in quarantine without its message in bronze": QUARANTINE_WITHOUT_BRONZE,
}

COUNTS = """
WITH valid AS (SELECT source, event_id FROM bronze ANTI JOIN quarantine USING (generation, partition, "offset")),
     keys AS (SELECT DISTINCT source, event_id FROM valid)
SELECT (SELECT count(*) FROM bronze) AS bronze_rows,
       (SELECT count(*) FROM quarantine) AS quarantine_rows,
       (SELECT count(*) FROM valid) AS valid_rows,
       (SELECT count(*) FROM keys) AS valid_keys,
       (SELECT count(*) FROM silver SEMI JOIN keys USING (source, event_id)) AS silver_rows
"""

PARTITIONS = """
SELECT partition, low, high, count("offset"), min("offset"), max("offset")
FROM broker LEFT JOIN bronze USING (generation, partition) WHERE generation = (SELECT max(generation) FROM broker)
GROUP BY partition, low, high ORDER BY partition
"""

GENERATIONS = """
SELECT generation, count("offset") FROM broker LEFT JOIN bronze USING (generation, partition)
WHERE generation < (SELECT max(generation) FROM broker) GROUP BY generation ORDER BY generation
"""

ACCEPTED = """
SELECT generation, partition, first, last, last - first + 1 - (SELECT count(DISTINCT "offset") FROM bronze_all b
       WHERE b.generation = a.generation AND b.partition = a.partition AND "offset" BETWEEN first AND last)
FROM accepted a ORDER BY generation, partition, first
"""

REASONS = "SELECT reason, count(*) FROM quarantine GROUP BY reason ORDER BY reason"

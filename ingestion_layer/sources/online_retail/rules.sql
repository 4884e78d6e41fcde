-- What each row of the file becomes: parsed values, its event's place, or the reason it is rejected.
-- raw_rows: the rows as text; header_cells: how many cells each must have. docs/sources.md explains every rule.
WITH trimmed AS (
  SELECT
    row, cells,
    nullif(trim(raw_InvoiceNo), '') AS invoice,
    nullif(trim(raw_StockCode), '') AS stock_code,
    nullif(raw_Description, '') AS description,
    nullif(trim(raw_Country), '') AS country,
    nullif(trim(raw_CustomerID), '') AS customer_text,
    trim(coalesce(raw_Quantity, '')) AS quantity_text,
    trim(coalesce(raw_UnitPrice, '')) AS price_text,
    trim(coalesce(raw_InvoiceDate, '')) AS time_text
  FROM raw_rows
),
parsed AS (
  SELECT
    *,
    regexp_replace(customer_text, '\.0+$', '') AS customer_id,
    CASE WHEN regexp_full_match(quantity_text, '[+-]?[0-9]{1,15}(\.0+)?')
      THEN CAST(regexp_replace(quantity_text, '\.0+$', '') AS BIGINT) END AS quantity,
    regexp_full_match(price_text, '[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]{1,3})?') AS is_price,
    TRY_CAST(price_text AS DECIMAL(38, 12)) AS price_exactly,
    coalesce(
      TRY_CAST(regexp_extract(time_text, '^[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?$') AS TIMESTAMP),
      try_strptime(time_text, ['%m/%d/%y %H:%M', '%m/%d/%Y %H:%M'])
    ) AS time
  FROM trimmed
),
priced AS (
  SELECT
    *,
    TRY_CAST(price_exactly AS DECIMAL(18, 4)) AS unit_price,
    upper(left(invoice, 1)) = 'C' AS is_return,
    concat_ws(
      chr(31), coalesce(invoice, ''), coalesce(stock_code, ''), coalesce(description, ''),
      coalesce(CAST(quantity AS VARCHAR), quantity_text), coalesce(strftime(time, '%Y-%m-%dT%H:%M:%S.%f'), time_text),
      coalesce(CAST(TRY_CAST(price_exactly AS DECIMAL(18, 4)) AS VARCHAR), price_text),
      coalesce(customer_id, ''), coalesce(country, '')
    ) AS record
  FROM parsed
),
placed AS (
  SELECT *, min(row) OVER (PARTITION BY record) AS first_row FROM priced
)
SELECT
  row, invoice, stock_code, description, quantity, time, unit_price, customer_id, country, is_return, record,
  first_row <> row AS is_duplicate,
  dense_rank() OVER (PARTITION BY invoice ORDER BY first_row) AS line,
  CASE
    WHEN cells <> $header_cells THEN 'column_count'
    WHEN invoice IS NULL THEN 'invoice_missing'
    WHEN stock_code IS NULL THEN 'stock_code_missing'
    WHEN country IS NULL THEN 'country_missing'
    WHEN quantity IS NULL THEN 'quantity_unreadable'
    WHEN NOT is_price OR price_exactly IS NULL THEN 'price_unreadable'
    WHEN time IS NULL THEN 'time_unreadable'
    WHEN unit_price IS NULL OR unit_price <> price_exactly THEN 'price_unrepresentable'
    WHEN unit_price < 0 THEN 'negative_price'
    WHEN upper(left(invoice, 1)) = 'A' THEN 'bad_debt_adjustment'
    WHEN quantity = 0 THEN 'zero_quantity'
    WHEN quantity < 0 AND NOT is_return THEN 'stock_adjustment'
    WHEN quantity > 0 AND is_return THEN 'return_of_positive_quantity'
    WHEN unit_price = 0 THEN 'zero_price'
  END AS reason
FROM placed
ORDER BY row

"""The transform as one would write it in SQL: the same columns by DuckDB, read to the end as Arrow.

usage: duckdb_transform.py DIR pages|records

Prints one JSON object with the seconds. DuckDB reads files in the page cache; ours has its pages in memory.
"""

import json
import sys
import time

import duckdb

NORMALISED = r"""
SELECT
    left(sha256(concat_ws(chr(31), action, category_type, operation_detail, operator, time)), 32) AS record_id,
    CAST(time AS TIMESTAMPTZ) AS event_time,
    'bench' AS account_id,
    'phone' AS report,
    action,
    lower(regexp_replace(action, '^(SCIM API|REST API|Batch)\s*-?\s*', '')) AS action_kind,
    CASE WHEN action LIKE 'SCIM API%' THEN 'scim_api' WHEN action LIKE 'REST API%' THEN 'rest_api'
         WHEN action LIKE 'Batch%' THEN 'batch' END AS channel,
    category_type,
    operator,
    lower(trim(operator)) AS operator_id,
    CASE WHEN operator LIKE '%@%' THEN 'user' WHEN lower(trim(operator)) IN ('system', 'zoom') THEN 'system'
         WHEN operator LIKE '%API%' THEN 'app' ELSE 'unknown' END AS operator_kind,
    nullif(regexp_extract(operator, '@([^\s>)]+)', 1), '') AS operator_domain,
    operation_detail,
    lower(nullif(regexp_extract(operation_detail, '^(\w+)', 1), '')) AS verb,
    nullif(regexp_extract(operation_detail, '^\w+ ((?:[A-Z][A-Za-z-]* ?){1,3})', 1), '') AS object_type,
    nullif(regexp_extract(operation_detail, '^\w+ (?:[A-Z][A-Za-z-]* ?){1,3}(.*?)(?: (?:to|from|for) |  - |$)', 1), '')
        AS object_name,
    nullif(regexp_extract(operation_detail, ' (to|from|for) ', 1), '') AS target_relation,
    nullif(regexp_extract(operation_detail, ' (?:to|from|for) ([^(]+)\(', 1), '') AS target_name,
    nullif(regexp_extract(operation_detail, '\(([^()@ ]+@[^()@ ]+)\)', 1), '') AS target_email,
    regexp_extract_all(operation_detail, ' - ([^:]+): (?:from (?:.*?) to |set to )?', 1) AS changed_fields,
    regexp_extract_all(operation_detail, '\+[0-9][0-9 .()-]{2,}[0-9]') AS phone_numbers,
    regexp_extract_all(operation_detail, '[\w.+%-]+@[\w.-]+\.\w{2,}') AS emails,
    regexp_extract_all(operation_detail, '(?i)ext(?:ension)?\.?(?: number)? (\d+)', 1) AS extensions,
    year(CAST(time AS TIMESTAMPTZ)) AS year,
    month(CAST(time AS TIMESTAMPTZ)) AS month,
    trim(regexp_replace(lower(category_type), '[^a-z0-9]+', '_', 'g'), '_') AS category
FROM source
"""
FIELDS = {name: "VARCHAR" for name in ("action", "category_type", "operation_detail", "operator", "time")}


def source(directory: str, form: str) -> str:
    if form == "records":
        return f"SELECT * FROM read_json('{directory}/records.ndjson', format='newline_delimited', columns={FIELDS})"
    record = "STRUCT(" + ", ".join(f"{name} VARCHAR" for name in FIELDS) + ")[]"
    columns = {"operation_logs": record}
    pages = f"read_json('{directory}/pages.ndjson', format='newline_delimited', columns={columns}"
    return f"SELECT unnest(operation_logs, recursive := true) FROM {pages}, maximum_object_size=1000000)"


def main() -> None:
    directory, form = sys.argv[1:]
    connection = duckdb.connect(config={"threads": 2, "preserve_insertion_order": False})
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(f"CREATE TEMP VIEW source AS {source(directory, form)}")
    began = time.perf_counter()
    rows = sum(batch.num_rows for batch in connection.execute(NORMALISED).to_arrow_reader(100_000))
    seconds = time.perf_counter() - began
    print(json.dumps({"records": rows, "seconds": seconds, "duckdb": duckdb.__version__}))


if __name__ == "__main__":
    main()

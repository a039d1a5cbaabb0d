"""The load as one would write it in polars: much the same columns, by its streaming engine.

usage: polars_load.py DIR DESTINATION
"""

import sys

import polars as pl

FIELDS = ("action", "category_type", "operation_detail", "operator", "time")
RECORD = pl.List(pl.Struct({name: pl.String for name in FIELDS}))


def main() -> None:
    directory, destination = sys.argv[1:]
    pages = pl.scan_ndjson(f"{directory}/pages.ndjson", schema={"operation_logs": RECORD})
    records = pages.explode("operation_logs").unnest("operation_logs")
    time, detail, operator = pl.col("time"), pl.col("operation_detail"), pl.col("operator")
    at = time.str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_zone="UTC", strict=False)
    rows = records.select(
        pl.concat_str(FIELDS, separator="\x1f").hash().alias("record_id"),
        at.alias("event_time"),
        pl.lit("bench").alias("account_id"),
        pl.lit("phone").alias("report"),
        "action",
        pl.col("action").str.replace(r"^(SCIM API|REST API|Batch)\s*-?\s*", "").str.to_lowercase().alias("action_kind"),
        pl.col("action").str.extract(r"^(SCIM API|REST API|Batch)").alias("channel"),
        "category_type",
        "operator",
        operator.str.strip_chars().str.to_lowercase().alias("operator_id"),
        pl.when(operator.str.contains("@", literal=True)).then(pl.lit("user")).otherwise(pl.lit("unknown"))
        .alias("operator_kind"),
        operator.str.extract(r"@([^\s>)]+)").alias("operator_domain"),
        "operation_detail",
        detail.str.extract(r"^(\w+)").str.to_lowercase().alias("verb"),
        detail.str.extract(r"^\w+ ((?:[A-Z][A-Za-z-]* ?){1,3})").alias("object_type"),
        detail.str.extract(r"^\w+ (?:[A-Z][A-Za-z-]* ?){1,3}(.*?)(?: (?:to|from|for) |  - |$)").alias("object_name"),
        detail.str.extract(r" (to|from|for) ").alias("target_relation"),
        detail.str.extract(r" (?:to|from|for) ([^(]+)\(").alias("target_name"),
        detail.str.extract(r"\(([^()@ ]+@[^()@ ]+)\)").alias("target_email"),
        detail.str.extract_all(r" - [^:]+: (?:from (?:.*?) to |set to )?").alias("changed_fields"),
        detail.str.extract_all(r"\+[0-9][0-9 .()-]{2,}[0-9]").alias("phone_numbers"),
        detail.str.extract_all(r"[\w.+%-]+@[\w.-]+\.\w{2,}").alias("emails"),
        detail.str.extract_all(r"(?i)ext(?:ension)?\.?(?: number)? \d+").alias("extensions"),
        at.dt.year().alias("year"),
        at.dt.month().alias("month"),
        pl.col("category_type").str.to_lowercase().str.replace_all(r"[^a-z0-9]+", "_").str.strip_chars("_")
        .alias("category"),
    )
    ordered = rows.sort("year", "month", "category", "event_time")
    partitions = pl.PartitionBy(destination, key=["year", "month", "category"])
    ordered.sink_parquet(partitions, compression="zstd", mkdir=True, engine="streaming")


if __name__ == "__main__":
    main()

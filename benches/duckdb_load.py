"""The load as one would write it in SQL: the transform's columns, sorted, as Hive partitions of zstd Parquet.

usage: duckdb_load.py DIR DESTINATION
"""

import sys

import duckdb

from duckdb_transform import NORMALISED, source

COPY = """
COPY (SELECT * FROM ({normalised}) ORDER BY year, month, category, event_time) TO '{destination}'
(FORMAT parquet, COMPRESSION zstd, PARTITION_BY (year, month, category))
"""


def main() -> None:
    directory, destination = sys.argv[1:]
    connection = duckdb.connect(config={"threads": 2})
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(f"CREATE TEMP VIEW source AS {source(directory, 'pages')}")
    connection.execute(COPY.format(normalised=NORMALISED, destination=destination))


if __name__ == "__main__":
    main()

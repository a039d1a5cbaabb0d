"""Lookups by DuckDB in its own files.

usage: duckdb_lookup.py FILES RUNS QUERY...

`{table}` in a query stands for the files. Prints one JSON list with an object for each query: the seconds of every run,
each in an instance of its own, and the bytes that one read, as the system counts them.
"""

import json
import sys
import time
from pathlib import Path

import duckdb


def bytes_read() -> int:
    return int(Path("/proc/self/io").read_text().split()[1])


def run(query: str) -> tuple[float, int, int]:
    began, read = time.perf_counter(), bytes_read()
    connection = duckdb.connect(config={"threads": 2})
    connection.execute("SET TimeZone = 'UTC'")
    rows = sum(batch.num_rows for batch in connection.execute(query).to_arrow_reader(100_000))
    return time.perf_counter() - began, rows, bytes_read() - read


def main() -> None:
    files, runs, *queries = sys.argv[1:]
    table = f"read_parquet('{files}/**/*.parquet', hive_partitioning = true)"
    measured = []
    for query in queries:
        query = query.replace("{table}", table)
        run(query)
        results = [run(query) for _ in range(int(runs))]
        _, rows, read = results[-1]
        measured.append({"seconds": [seconds for seconds, _, _ in results], "rows": rows, "bytes": read})
    print(json.dumps(measured))


if __name__ == "__main__":
    main()

"""The engines, each as a way to get at the table's rows.

To add one: a subclass of `Reader` and an entry in `READERS`. Nothing else names an engine.
"""

import sysconfig
from datetime import datetime
from pathlib import Path

import duckdb
import polars
import pyarrow as pa
import pyarrow.dataset
from deltalake import DeltaTable, QueryBuilder

import phonetrail

TEXT = pa.string()
INSTANT = pa.timestamp("us", "UTC")
TEXTS = pa.list_(TEXT)
CHANGES = pa.list_(pa.struct([("field", TEXT), ("old_value", TEXT), ("new_value", TEXT)]))

SCHEMA = pa.schema(
    [
        ("record_id", TEXT),
        ("event_time", INSTANT),
        ("account_id", TEXT),
        ("report", TEXT),
        ("action", TEXT),
        ("action_kind", TEXT),
        ("channel", TEXT),
        ("category_type", TEXT),
        ("operator", TEXT),
        ("operator_id", TEXT),
        ("operator_kind", TEXT),
        ("operator_domain", TEXT),
        ("operation_detail", TEXT),
        ("detail_status", TEXT),
        ("verb", TEXT),
        ("object_type", TEXT),
        ("object_name", TEXT),
        ("target_relation", TEXT),
        ("target_name", TEXT),
        ("target_email", TEXT),
        ("changes", CHANGES),
        ("phone_numbers", TEXTS),
        ("emails", TEXTS),
        ("extensions", TEXTS),
        ("parser_version", pa.int32()),
        ("source_json", TEXT),
        ("ingested_at", INSTANT),
        ("year", pa.int32()),
        ("month", pa.int32()),
        ("category", TEXT),
    ]
)


class Reader:
    """An engine and the way it finds the table's files."""

    def rows(self, destination):
        """All rows, in the engine's own types."""
        return self.ask(destination, "SELECT * FROM operation_logs")

    def ask(self, destination, sql):
        """The answer to a query; None from an engine without SQL."""
        return None


class Phonetrail(Reader):
    def rows(self, destination):
        return pa.Table.from_pylist(self.answer(destination, "SELECT * FROM operation_logs"), SCHEMA)

    def ask(self, destination, sql):
        return pa.Table.from_pylist(self.answer(destination, sql))

    def answer(self, destination, sql):
        return with_times(phonetrail.query(destination, sql))


def with_times(rows):
    """A dict a row. JSON has no times; here they are the columns whose names say so."""
    for row in rows:
        times = {name: value for name, value in row.items() if name.endswith(("_time", "_at")) and value}
        row.update({name: datetime.fromisoformat(value) for name, value in times.items()})
    return rows


class DuckDb(Reader):
    """Its extensions come from wheels; nothing is fetched at run time."""

    extensions = Path(sysconfig.get_paths()["platlib"]) / "duckdb_ext" / "extensions"

    def __init__(self, source):
        self.source = source

    @classmethod
    def connection(cls):
        settings = {"extension_directory": str(cls.extensions), "autoinstall_known_extensions": "false"}
        connection = duckdb.connect(config=settings)
        connection.execute("SET TimeZone = 'UTC'")
        return connection

    def ask(self, destination, sql):
        with self.connection() as connection:
            connection.execute("LOAD delta")
            connection.execute(f"CREATE VIEW operation_logs AS SELECT * FROM {self.source.format(destination)}")
            return connection.execute(sql).fetch_arrow_table()


class Polars(Reader):
    def __init__(self, scan):
        self.scan = scan

    def ask(self, destination, sql):
        with polars.SQLContext(operation_logs=self.scan(destination)) as context:
            return context.execute(sql).collect().to_arrow()


class DeltaRs(Reader):
    def rows(self, destination):
        return DeltaTable(table(destination)).to_pyarrow_table()

    def ask(self, destination, sql):
        answer = QueryBuilder().register("operation_logs", DeltaTable(table(destination))).execute(sql)
        return pa.table(answer.read_all())


class PyArrow(Reader):
    def rows(self, destination):
        return pyarrow.dataset.dataset(table(destination), format="parquet", partitioning="hive").to_table()


def table(destination):
    return str(Path(destination) / "operation_logs")


def files(destination):
    return f"{table(destination)}/**/*.parquet"


READERS = {
    "phonetrail query": Phonetrail(),
    "deltalake": DeltaRs(),
    "DuckDB, files": DuckDb("read_parquet('{}/operation_logs/**/*.parquet', hive_partitioning = true)"),
    "DuckDB, log": DuckDb("delta_scan('{}/operation_logs')"),
    "polars, files": Polars(lambda destination: polars.scan_parquet(files(destination), hive_partitioning=True)),
    "polars, log": Polars(lambda destination: polars.scan_delta(table(destination))),
    "pyarrow, files": PyArrow(),
}


def canonical(rows):
    """Rows of any engine in the types of `SCHEMA`, sorted by identity."""
    assert sorted(rows.column_names) == sorted(SCHEMA.names)
    return rows.select(SCHEMA.names).cast(SCHEMA).sort_by("record_id").combine_chunks()


def differences(found, expected):
    """A few of the values that differ between two tables as `canonical` makes them; empty where none do."""
    if found.num_rows != expected.num_rows:
        return [f"{found.num_rows} rows instead of {expected.num_rows}"]
    texts = []
    for name in expected.column_names:
        if not found[name].equals(expected[name]):
            values = [expected["record_id"].to_pylist(), found[name].to_pylist(), expected[name].to_pylist()]
            pairs = zip(*values, strict=True)
            texts += [f"{name} of {id}: {this!r}, not {that!r}" for id, this, that in pairs if this != that][:3]
            texts = texts or [f"{name} differs"]
    return texts

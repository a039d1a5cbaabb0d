"""The statements that `phonetrail schema` and the README give, run as they are."""

import re
from pathlib import Path

import phonetrail
import pytest
from readers import READERS, DuckDb, canonical, differences

README = Path(__file__).resolve().parents[2] / "README.md"

TYPES = {
    "string": "VARCHAR",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
    "int": "INTEGER",
    "list of string": "VARCHAR[]",
    "list of struct": "STRUCT(field VARCHAR, old_value VARCHAR, new_value VARCHAR)[]",
}


def schema(engine, account):
    return phonetrail.output("schema", "--format", engine, "--location", str(account.table))


def readme_columns():
    """Name, type and comment of each column in the README."""
    rows = re.findall(r"^\| `(\w+)` \| ([a-z ]+)\?? \| (.+) \|$", section("### Columns"), re.MULTILINE)
    assert len(rows) == 30
    return rows


def section(heading):
    [_, text] = README.read_text(encoding="utf-8").split(f"\n{heading}\n")
    return text.split("\n## ")[0]


def test_duckdb_takes_the_schema(synced, rows_of):
    with DuckDb.connection() as connection:
        connection.execute(schema("duckdb", synced.account))
        found = canonical(connection.execute("FROM operation_logs").fetch_arrow_table())
        columns = connection.execute(
            "SELECT column_name, data_type, comment FROM duckdb_columns() WHERE table_name = 'operation_logs'"
        ).fetchall()
    assert differences(found, canonical(rows_of("phonetrail query", synced.account.destination))) == []
    assert columns == [(name, TYPES[kind], comment) for name, kind, comment in readme_columns()]


@pytest.mark.skipif("Spark, files" not in READERS, reason="Spark is not installed")
def test_spark_takes_the_schema(synced, rows_of):
    from more_readers import spark

    spark().sql("DROP VIEW IF EXISTS operation_logs")
    spark().sql("DROP TABLE IF EXISTS operation_logs")
    for statement in schema("spark", synced.account).split(";\n"):
        if statement := "\n".join(line for line in statement.split("\n") if not line.startswith("--")).strip():
            spark().sql(statement)
    found = canonical(spark().sql("SELECT * FROM operation_logs").toArrow())
    comments = {row["col_name"]: row["comment"] for row in spark().sql("DESCRIBE operation_logs").collect()}
    spark().sql("DROP TABLE operation_logs")
    assert differences(found, canonical(rows_of("phonetrail query", synced.account.destination))) == []
    assert {name: comments[name] for name, _, _ in readme_columns()} == {
        name: comment for name, _, comment in readme_columns()
    }


def test_the_readme_feeds_a_warehouse(tmp_path):
    [make, load] = re.findall(r"^```sql\n(.+?)^```$", section("## Feeding a warehouse"), re.MULTILINE | re.DOTALL)
    simulation = ["--size", "3000", "--seed", "5", "--from", "2022-01-01", "--to", "2022-03-31"]
    with phonetrail.account(tmp_path, *simulation) as account, DuckDb.connection() as connection:
        account.sync("--from", "2022-01-01", "--to", "2022-02-10")
        connection.execute(schema("duckdb", account))
        connection.execute(make)
        connection.execute(load)
        [first] = connection.execute("SELECT count(*) FROM audit_trail").fetchone()

        account.sync("--from", "2022-01-01", "--to", "2022-03-31")
        connection.execute(load)
        connection.execute(load)
        found = canonical(connection.execute("FROM audit_trail").fetch_arrow_table())
        expected = canonical(READERS["phonetrail query"].rows(account.destination))

    assert 0 < first < expected.num_rows == len(account.truth)
    assert differences(found, expected) == []

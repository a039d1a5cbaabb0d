"""The same table, on object storage: written by phonetrail, read back by others."""

import re
from dataclasses import dataclass

import object_stores
import phonetrail
import polars
import pyarrow as pa
import pytest
from deltalake import DeltaTable
from object_stores import ObjectStore
from readers import SCHEMA, DuckDb, canonical, differences, with_times

DAYS = ["--from", "2022-01-01", "--to", "2022-02-28"]
RECORDS = 600


@dataclass(frozen=True)
class Stored:
    """A table on a store, and what the syncs that made it said."""

    store: ObjectStore
    reports: list
    run: object
    """Runs a command of phonetrail on the destination."""

    @property
    def table(self):
        return f"{self.store.url}/operation_logs"

    def rows(self):
        return canonical(pa.Table.from_pylist(with_times(self.run("query", "SELECT * FROM operation_logs")), SCHEMA))


@pytest.fixture(scope="module", params=list(object_stores.STORES))
def stored(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    simulation = ["--size", str(RECORDS), "--seed", "7", "--from", "2022-01-01", "--to", "2022-02-28"]
    with object_stores.STORES[request.param](folder) as store, phonetrail.account(folder, *simulation) as account:
        environment = account.environment | store.environment | {"PHONETRAIL_CACHE": str(folder / "cache")}

        def run(command, *arguments):
            return phonetrail.report(
                command, "--destination", store.url, *arguments, folder=account.folder, environment=environment
            )

        limits = ["--plan", "1000/s,1000000/day"]
        reports = [run("sync", *DAYS, *limits), run("sync", *DAYS, *limits, *phonetrail.NEVER_SETTLED)]
        yield Stored(store, reports, run)


def test_a_second_sync_adds_nothing(stored):
    first, second = stored.reports
    assert (first["rows_new"], second["rows_new"]) == (RECORDS, 0)


def test_status_and_query_find_every_row(stored):
    assert stored.run("status")["rows"] == RECORDS
    [found] = stored.run("query", "SELECT COUNT(DISTINCT record_id) AS n FROM operation_logs")
    assert found["n"] == RECORDS
    [found] = stored.run("query", "SELECT COUNT(*) AS n FROM operation_logs WHERE event_time >= '2022-02-01'")
    [month] = stored.run("query", "SELECT COUNT(*) AS n FROM operation_logs WHERE year = 2022 AND month = 2")
    assert found == month


def test_deltalake_finds_every_value(stored):
    assert_same(DeltaTable(stored.table, storage_options=stored.store.options).to_pyarrow_table(), stored)


def test_polars_finds_every_value(stored):
    rows = polars.scan_delta(stored.table, storage_options=stored.store.options).collect().to_arrow()
    assert_same(rows, stored)


@pytest.mark.parametrize("stored", ["S3"], indirect=True)
@pytest.mark.parametrize("scan", ["delta_scan('{}')", "read_parquet('{}/**/*.parquet', hive_partitioning = true)"])
def test_duckdb_finds_every_value(stored, scan):
    with DuckDb.connection() as connection:
        for extension in ("httpfs", "delta"):
            connection.execute(f"LOAD {extension}")
        endpoint = re.sub("https?://", "", stored.store.environment["AWS_ENDPOINT_URL"])
        keys = "KEY_ID 'simulated', SECRET 'simulated', REGION 'us-east-1'"
        connection.execute(
            f"CREATE SECRET (TYPE s3, {keys}, ENDPOINT '{endpoint}', URL_STYLE 'path', USE_SSL false)"
        )
        rows = connection.execute(f"SELECT * FROM {scan.format(stored.table)}").fetch_arrow_table()
    assert_same(rows, stored)


def assert_same(found, stored):
    """The rows of another engine are those of `phonetrail query`."""
    assert differences(canonical(found), stored.rows()) == []

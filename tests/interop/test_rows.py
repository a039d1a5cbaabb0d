"""Every engine finds the rows that phonetrail finds."""

from collections import Counter

import pyarrow as pa
import pyarrow.compute as compute
import pytest
from readers import READERS, Reader, canonical, differences

ENGINES = list(READERS)
OTHERS = [name for name in ENGINES if name != "phonetrail query"]
WITH_SQL = [name for name, reader in READERS.items() if type(reader).ask is not Reader.ask]


@pytest.fixture
def expected(synced, rows_of):
    return canonical(rows_of("phonetrail query", synced.account.destination))


def test_phonetrail_finds_a_row_per_record(synced, expected):
    assert expected.num_rows == len(synced.account.truth)
    assert compute.count_distinct(expected["record_id"]).as_py() == expected.num_rows


def test_the_rows_try_every_column(generated, harmful, rows_of):
    tables = [canonical(rows_of("phonetrail query", each.account.destination)) for each in (generated, harmful)]
    rows = pa.concat_tables(tables)
    lists = [field.name for field in rows.schema if pa.types.is_list(field.type)]
    filled = {name: compute.sum(compute.list_value_length(rows[name])).as_py() for name in lists}
    filled |= {name: rows.num_rows - rows[name].null_count for name in rows.column_names if name not in lists}
    assert [name for name, count in filled.items() if not count] == []


@pytest.mark.parametrize("engine", OTHERS)
def test_an_engine_finds_every_value_of_every_row(engine, synced, expected, rows_of):
    found = canonical(rows_of(engine, synced.account.destination))
    assert differences(found, expected) == []


@pytest.mark.parametrize("engine", ENGINES)
def test_year_and_month_are_integers(engine, synced, rows_of):
    schema = rows_of(engine, synced.account.destination).schema
    assert [pa.types.is_integer(schema.field(name).type) for name in ("year", "month")] == [True, True]


@pytest.mark.parametrize("engine", WITH_SQL)
def test_an_engine_counts_and_bounds_alike(engine, synced, expected):
    sql = """
        SELECT COUNT(*) AS rows_all, COUNT(DISTINCT record_id) AS rows_distinct,
               MIN(event_time) AS first_time, MAX(event_time) AS last_time
        FROM operation_logs
    """
    [found] = READERS[engine].ask(synced.account.destination, sql).to_pylist()
    bounds = compute.min_max(expected["event_time"]).as_py()
    assert found == {
        "rows_all": expected.num_rows,
        "rows_distinct": expected.num_rows,
        "first_time": bounds["min"],
        "last_time": bounds["max"],
    }


@pytest.mark.parametrize("engine", WITH_SQL)
def test_an_engine_counts_each_partition_alike(engine, synced, expected):
    sql = "SELECT year, month, category, COUNT(*) AS rows_all FROM operation_logs GROUP BY year, month, category"
    found = READERS[engine].ask(synced.account.destination, sql).to_pylist()
    counts = {(row["year"], row["month"], row["category"]): row["rows_all"] for row in found}
    assert counts == Counter(partitions(expected))


@pytest.mark.parametrize("engine", WITH_SQL)
def test_an_engine_selects_partitions_by_number(engine, synced, expected):
    sql = "SELECT COUNT(*) AS rows_all FROM operation_logs WHERE year = 2022 AND month < 11"
    [found] = READERS[engine].ask(synced.account.destination, sql).to_pylist()
    assert found["rows_all"] == sum(year == 2022 and month < 11 for year, month, _ in partitions(expected)) > 0


@pytest.mark.parametrize("engine", WITH_SQL)
def test_an_engine_selects_a_day_by_its_time(engine, synced, expected):
    day = "event_time >= DATE '2022-02-03' AND event_time < DATE '2022-02-04'"
    [found] = (
        READERS[engine]
        .ask(synced.account.destination, f"SELECT COUNT(*) AS rows_all FROM operation_logs WHERE {day}")
        .to_pylist()
    )
    dates = [time and str(time.date()) for time in expected["event_time"].to_pylist()]
    assert found["rows_all"] == dates.count("2022-02-03") > 0


def partitions(rows):
    return list(zip(*(rows[name].to_pylist() for name in ("year", "month", "category")), strict=True))

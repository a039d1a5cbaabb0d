"""phonetrail compacts the table, also where another writer has compacted it before; every engine finds the same rows."""

import json
from dataclasses import replace
from functools import reduce
from operator import xor

import ledger
import pyarrow.parquet as parquet
import pytest
from deltalake import DeltaTable
from readers import READERS, canonical, differences

MONTH = "2022-06"


@pytest.fixture(scope="module")
def compacted(generated, tmp_path_factory, rows_of):
    """A table with files of ours and of deltalake's in one month, which is then compacted; and its rows before that."""
    account = replace(generated.account, folder=tmp_path_factory.mktemp("compacted"))
    for day in ("08", "16"):
        account.sync("--from", "2022-05-20", "--to", f"2022-06-{day}")
    DeltaTable(str(account.table)).optimize.compact()
    account.sync("--from", "2022-05-20", "--to", "2022-07-05")
    before = canonical(rows_of("phonetrail query", account.destination))
    return account, before, account.compact(MONTH)


def test_each_partition_of_the_month_has_one_file(compacted):
    account, _, report = compacted
    [month] = report["compacted"]
    assert month["month"] == MONTH
    assert month["files_removed"] > month["files_added"] > 40
    folders = [path.parent for path in account.table.glob("year=2022/month=6/*/*.parquet")]
    assert len(folders) == len(set(folders)) >= month["files_added"]


def test_files_of_both_writers_were_merged(compacted):
    account, _, _ = compacted
    removed = [file["path"].rsplit("/", 1)[1] for file in ledger.read(account.table)[-1].entry["files_removed"]]
    assert {name.endswith("-c000.zstd.parquet") or "-c000" in name for name in removed} == {True, False}


@pytest.mark.parametrize("engine", READERS)
def test_an_engine_finds_the_same_rows_as_before(engine, compacted):
    account, before, _ = compacted
    assert differences(canonical(READERS[engine].rows(account.destination)), before) == []


def test_the_ledger_proves_it(compacted):
    account, _, _ = compacted
    log = ledger.read(account.table)
    assert ledger.chain_faults(log) == []
    entry = log[-1].entry
    tables = [parquet.ParquetFile(account.table / file["path"]).read(["record_id"]) for file in entry["files"]]
    ids = [int(id, 16) for rows in tables for id in rows["record_id"].to_pylist()]
    stated = {"count": len(ids), "record_id_xor": f"{reduce(xor, ids, 0):032x}"}
    assert entry["rewritten"] == {"before": stated, "after": stated}
    assert (entry["work"], entry["rows"]["count"]) == ("compact", 0)
    assert sum(file["rows"] for file in entry["files_removed"]) == len(ids)


def test_the_commit_says_that_it_changes_no_data(compacted):
    account, _, _ = compacted
    newest = max((account.table / "_delta_log").glob("*.json"))
    actions = [json.loads(line) for line in newest.read_bytes().splitlines()]
    changes = [action[kind]["dataChange"] for action in actions for kind in ("add", "remove") if kind in action]
    assert changes and not any(changes)

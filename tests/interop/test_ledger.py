"""The ledger can be checked with nothing but a JSON parser, SHA-256 and a Parquet reader."""

import hashlib
import json
from functools import reduce
from operator import xor
from urllib.parse import unquote

import ledger
import pyarrow.parquet as parquet
import pytest


@pytest.fixture
def log(synced):
    return ledger.read(synced.account.table)


def test_every_commit_has_an_entry_that_names_the_commit_before_it(synced, log):
    assert all(commit.entry for commit in log)
    assert ledger.chain_faults(log) == []
    assert len(log) == 1 + sum(report["commits"] for report in synced.reports)
    assert log[-1].version == synced.reports[-1]["version"]


def test_an_entry_names_the_files_that_its_commit_adds(log):
    for commit in log:
        added = {unquote(add["path"]): (add["size"], json.loads(add["stats"])["numRecords"]) for add in commit.added}
        assert added == {file["path"]: (file["bytes"], file["rows"]) for file in commit.entry["files"]}
        assert all(transaction["version"] == commit.entry["sequence"] for transaction in commit.transactions)


def test_files_and_packs_are_what_the_ledger_says_and_no_others_lie_there(synced, log):
    account = synced.account
    files = [file for commit in log for file in commit.entry["files"]]
    packs = [pack for commit in log for pack in commit.entry["packs"]]
    for root, entries in (account.table, files), (account.destination, packs):
        for entry in entries:
            content = (root / entry["path"]).read_bytes()
            assert (len(content), hashlib.sha256(content).hexdigest()) == (entry["bytes"], entry["sha256"]), entry[
                "path"
            ]

    named = {entry["path"] for entry in files}
    assert named == {path.relative_to(account.table).as_posix() for path in account.table.glob("year=*/**/*.parquet")}
    named = {entry["path"] for entry in packs}
    assert named == {
        path.relative_to(account.destination).as_posix() for path in account.destination.glob("raw/**/*.zst")
    }


def test_an_entry_accounts_for_its_rows(synced, log):
    for commit in log:
        tables = {
            file["path"]: parquet.ParquetFile(synced.account.table / file["path"]).read(["record_id"])
            for file in commit.entry["files"]
        }
        assert {path: rows.num_rows for path, rows in tables.items()} == {
            file["path"]: file["rows"] for file in commit.entry["files"]
        }
        ids = [int(id, 16) for rows in tables.values() for id in rows["record_id"].to_pylist()]
        stated = commit.entry["rows"]
        assert (len(ids), reduce(xor, ids, 0)) == (stated["count"], int(stated["record_id_xor"] or "0", 16))


def test_the_windows_add_up(synced, log):
    windows = [window for commit in log for window in commit.entry["windows"]]
    assert windows
    for window in windows:
        assert window["received"] == window["reported"] == window["new"] + window["already_stored"]
        assert window["vanished"] == 0
    assert sum(window["new"] for window in windows) == len(synced.account.truth)
    assert sum(window["pages"] for window in windows) == sum(
        pack["pages"] for commit in log for pack in commit.entry["packs"]
    )

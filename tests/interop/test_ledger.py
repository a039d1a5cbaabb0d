"""The ledger can be checked with nothing but a JSON parser, SHA-256 and a Parquet reader."""

import hashlib
import json
from functools import reduce
from operator import xor
from urllib.parse import unquote

import pyarrow.parquet as parquet
import pytest


class Commit:
    """A version of the table as it lies in the log."""

    def __init__(self, path):
        content = path.read_bytes()
        actions = [json.loads(line) for line in content.splitlines()]
        of_kind = lambda kind: [action[kind] for action in actions if kind in action]
        [info] = of_kind("commitInfo")
        self.version = int(path.stem)
        self.sha256 = hashlib.sha256(content).hexdigest()
        self.entry = json.loads(info["phonetrail"]) if "phonetrail" in info else None
        self.added = of_kind("add")
        self.transactions = of_kind("txn")


def read_log(table):
    return [Commit(path) for path in sorted((table / "_delta_log").glob("*.json"))]


def chain_faults(log):
    """What is wrong with how the entries of a log hang together; empty where nothing is."""
    faults = [f"version {commit.version} is not at its place" for at, commit in enumerate(log) if commit.version != at]
    entries = [commit for commit in log if commit.entry]
    faults += [f"version {commit.version} breaks the sequence" for at, commit in enumerate(entries) if commit.entry["sequence"] != at]
    if entries and entries[0].entry["previous"] is not None:
        faults.append("the first entry has one before it")
    for commit in entries[1:]:
        before = log[commit.version - 1]
        if commit.entry["previous"] != {"version": before.version, "sha256": before.sha256}:
            faults.append(f"version {commit.version} does not name the one before it")
    return faults


@pytest.fixture
def log(synced):
    return read_log(synced.account.table)


def test_every_commit_has_an_entry_that_names_the_commit_before_it(synced, log):
    assert all(commit.entry for commit in log)
    assert chain_faults(log) == []
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
            assert (len(content), hashlib.sha256(content).hexdigest()) == (entry["bytes"], entry["sha256"]), entry["path"]

    named = {entry["path"] for entry in files}
    assert named == {path.relative_to(account.table).as_posix() for path in account.table.glob("year=*/**/*.parquet")}
    named = {entry["path"] for entry in packs}
    assert named == {path.relative_to(account.destination).as_posix() for path in account.destination.glob("raw/**/*.zst")}


def test_an_entry_accounts_for_its_rows(synced, log):
    for commit in log:
        tables = {file["path"]: parquet.ParquetFile(synced.account.table / file["path"]).read(["record_id"]) for file in commit.entry["files"]}
        assert {path: rows.num_rows for path, rows in tables.items()} == {file["path"]: file["rows"] for file in commit.entry["files"]}
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
    assert sum(window["pages"] for window in windows) == sum(pack["pages"] for commit in log for pack in commit.entry["packs"])

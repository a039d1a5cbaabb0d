"""Another writer rewrites the table; phonetrail goes on with it."""

import shutil
from dataclasses import replace

import ledger
import pytest
from deltalake import DeltaTable
from phonetrail import Synced
from readers import READERS, canonical, differences


@pytest.fixture(scope="module")
def rewritten(generated, tmp_path_factory):
    """A copy of the generated account's table, compacted by deltalake, then synced again."""
    account = replace(generated.account, folder=tmp_path_factory.mktemp("rewritten"))
    shutil.copytree(generated.account.destination, account.destination)
    metrics = DeltaTable(str(account.table)).optimize.compact()
    report = account.sync("--from", "2021-12-01", "--to", "2022-12-31", "--grace", "0")
    return Synced(account, [metrics, report])


def test_deltalake_compacts_and_phonetrail_finds_nothing_new(generated, rewritten):
    metrics, report = rewritten.reports
    assert metrics["numFilesRemoved"] > metrics["numFilesAdded"] > 0
    assert report["rows_new"] == 0
    assert report["rows_already_stored"] == report["records_received"] >= len(generated.account.truth)


@pytest.mark.parametrize("engine", READERS)
def test_an_engine_finds_the_same_rows_as_before(engine, generated, rewritten, rows_of):
    before = canonical(rows_of("phonetrail query", generated.account.destination))
    assert differences(canonical(rows_of(engine, rewritten.account.destination)), before) == []


def test_the_ledger_goes_on_over_the_other_writers_commit(rewritten):
    log = ledger.read(rewritten.account.table)
    assert [commit.version for commit in log if commit.entry is None] == [log[-2].version]
    assert ledger.chain_faults(log) == []

"""A table of many commits, beside which phonetrail keeps a checkpoint for itself, is the same table to every engine."""

from datetime import date, timedelta

import ledger
import phonetrail
import pytest
from phonetrail import Synced
from readers import READERS, canonical, differences

DAYS = 55
FIRST = date(2022, 1, 20)
CHECKPOINT = ".phonetrail/checkpoint"


@pytest.fixture(scope="module")
def aged(tmp_path_factory):
    """Eight weeks, synced day by day."""
    days = [str(FIRST + timedelta(days=number)) for number in range(DAYS)]
    simulation = ["--size", "400", "--seed", "5", "--from", days[0], "--to", days[-1]]
    with phonetrail.account(tmp_path_factory.mktemp("aged"), *simulation) as account:
        yield Synced(account, [account.sync("--from", day, "--to", day) for day in days])


def test_the_log_has_a_commit_a_sync_and_no_checkpoint(aged):
    log = ledger.read(aged.account.table)
    assert len(log) == DAYS + 1
    assert ledger.chain_faults(log) == []
    assert {path.suffix for path in (aged.account.table / "_delta_log").iterdir()} == {".json"}
    assert (aged.account.destination / CHECKPOINT).exists()


def test_phonetrail_finds_the_same_with_its_checkpoint_and_without(aged):
    whole = canonical(READERS["phonetrail query"].rows(aged.account.destination))
    assert whole.num_rows == len(aged.account.truth)
    checkpoint = aged.account.destination / CHECKPOINT
    content = checkpoint.read_bytes()
    checkpoint.unlink()
    assert differences(canonical(READERS["phonetrail query"].rows(aged.account.destination)), whole) == []
    checkpoint.write_bytes(content)


@pytest.mark.parametrize("engine", READERS)
def test_an_engine_finds_every_value_of_every_row(engine, aged, rows_of):
    expected = canonical(rows_of("phonetrail query", aged.account.destination))
    assert differences(canonical(rows_of(engine, aged.account.destination)), expected) == []

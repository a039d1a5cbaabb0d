"""The tables that the tests look at: one of a generated account, one of records that mean harm."""

from functools import cache

import pytest

import hostile
import more_readers  # noqa: F401 (adds to the readers)
import phonetrail
import readers
from phonetrail import Synced


@pytest.fixture(scope="session")
def generated(tmp_path_factory):
    """Thirteen months, stored in two steps, then read once more. Nothing is new to the last reading."""
    simulation = ["--size", "20000", "--seed", "7", "--from", "2021-12-01", "--to", "2022-12-31"]
    whole = ["--from", "2021-12-01", "--to", "2022-12-31"]
    with phonetrail.account(tmp_path_factory.mktemp("generated"), *simulation) as account:
        reports = [
            account.sync("--from", "2021-12-01", "--to", "2022-06-15"),
            account.sync(*whole),
            account.sync(*whole),
        ]
        yield Synced(account, reports)


@pytest.fixture(scope="session")
def harmful(tmp_path_factory):
    """Records of `hostile`, on pages so small that twins fall on several.

    The range is such that the day of those without a readable time lies in two windows.
    """
    folder = tmp_path_factory.mktemp("harmful")
    file = folder / "records.ndjson"
    file.write_text("".join(f"{line}\n" for line in hostile.lines()), encoding="utf-8")
    whole = ["--from", "2022-01-06", "--to", "2022-03-05", "--page-size", "7"]
    with phonetrail.account(folder, "--records", str(file)) as account:
        yield Synced(account, [account.sync(*whole), account.sync(*whole)])


@pytest.fixture(scope="session", params=["generated", "harmful"])
def synced(request):
    """Each table in turn."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def rows_of():
    """Rows as an engine finds them, in its own types: a function of the engine's name and a destination."""
    return cache(lambda engine, destination: readers.READERS[engine].rows(destination))

"""What the account served comes back from the rows, and from the raw pages alone."""

import base64
import hashlib
import json
from collections import Counter, defaultdict

import pyarrow as pa
import pytest
import records

PAGE_KEYS = {"format", "account_id", "report", "from", "to", "scope", "number", "request", "received_at", "status"}


@pytest.mark.parametrize("engine", ["deltalake", "DuckDB, files", "polars, files"])
def test_the_rows_are_the_records_that_were_served(engine, synced, rows_of):
    rows = rows_of(engine, synced.account.destination).to_pylist()
    found = Counter(records.of_row(row) for row in rows)
    assert records.difference(found, records.count(synced.account.truth)) == records.NONE


def test_reading_again_adds_nothing(synced):
    *_, last = synced.reports
    assert (last["rows_new"], last["rows_already_stored"]) == (0, last["records_received"])
    assert sum(report["rows_new"] for report in synced.reports) == len(synced.account.truth)
    assert last["days"]["unmatched"] == 0


def test_every_body_matches_its_digest(synced):
    pages = list(archived_pages(synced.account.destination))
    assert len(pages) == sum(report["pages"] for report in synced.reports)
    for path, page in pages:
        assert PAGE_KEYS <= page.keys(), path
        assert hashlib.sha256(body(page)).hexdigest() == page["sha256"], path


def test_the_pages_are_the_records_that_were_served(synced):
    windows = defaultdict(dict)
    for path, page in archived_pages(synced.account.destination):
        pages = windows[path, page["from"], page["to"], json.dumps(page["scope"])]
        assert page["number"] not in pages, "a window's page is archived twice"
        pages[page["number"]] = served(body(page))

    # Windows overlap, and are read more than once: a record is there as often as in the window that has it most often.
    found = Counter()
    for key, pages in windows.items():
        assert sorted(pages) == list(range(len(pages))), f"{key} lacks a page"
        found |= sum(pages.values(), Counter())
    assert records.difference(found, records.count(synced.account.truth)) == records.NONE


def archived_pages(destination):
    """The lines of every pack, each with the pack's path."""
    for path in sorted((destination / "raw").glob("**/*.ndjson.zst")):
        with pa.CompressedInputStream(str(path), "zstd") as pack:
            for line in pack.read().splitlines():
                yield str(path), json.loads(line)


def body(page):
    """The bytes that the upstream sent."""
    assert ("body" in page) != ("body_base64" in page)
    return page["body"].encode() if "body" in page else base64.b64decode(page["body_base64"])


def served(body):
    members = dict(json.loads(body, object_pairs_hook=records.Members, parse_float=records.Decimal))
    return Counter(records.comparable(record) for record in members["operation_logs"])

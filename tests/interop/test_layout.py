"""Where files lie: no text of the upstream's decides it."""

import os
import re

PARTITION = re.compile(r"year=\d+/month=\d+/category=[a-z0-9_]{1,64}")
DATA_FILE = re.compile(r"part-[0-9a-f-]{36}\.parquet")
LOG_FILE = re.compile(r"operation_logs/_delta_log/(\d{20}\.(json|crc|checkpoint.*\.parquet)|_last_checkpoint)")
PACK = re.compile(r"raw/year=\d+/month=\d+/[0-9a-f-]{36}\.ndjson\.zst")


def test_every_data_file_lies_in_a_partition_of_plain_names(synced):
    table = synced.account.table
    data_files = [path.relative_to(table) for path in table.glob("**/*.parquet") if "_delta_log" not in path.parts]
    assert data_files
    for path in data_files:
        assert PARTITION.fullmatch(path.parent.as_posix()), path
        assert DATA_FILE.fullmatch(path.name), path


def test_nothing_else_lies_in_the_destination(synced):
    allowed = [
        LOG_FILE,
        PACK,
        re.compile(rf"operation_logs/{PARTITION.pattern}/{DATA_FILE.pattern}"),
        re.compile(r"\.phonetrail\.lock|\.phonetrail/checkpoint"),
    ]
    for path in found_below(synced.account.destination):
        assert any(pattern.fullmatch(path) for pattern in allowed), path


def test_nothing_lies_outside_the_destination(synced):
    workplace = synced.account.folder
    assert os.listdir(workplace) == ["destination"]
    assert set(os.listdir(workplace.parent)) <= {"workplace", "simulate.log", "records.ndjson"}


def found_below(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())

"""The ledger as it lies in the table's log, read with nothing but a JSON parser and SHA-256."""

import hashlib
import json


class Commit:
    """A version of the table as it lies in the log."""

    def __init__(self, path):
        content = path.read_bytes()
        actions = [json.loads(line) for line in content.splitlines()]

        def of_kind(kind):
            return [action[kind] for action in actions if kind in action]

        [info] = of_kind("commitInfo")
        self.version = int(path.stem)
        self.sha256 = hashlib.sha256(content).hexdigest()
        self.entry = json.loads(info["phonetrail"]) if "phonetrail" in info else None
        self.added = of_kind("add")
        self.transactions = of_kind("txn")


def read(table):
    """The commits, oldest first."""
    return [Commit(path) for path in sorted((table / "_delta_log").glob("*.json"))]


def chain_faults(log):
    """What is wrong with how the entries of a log hang together; empty where nothing is."""
    faults = [f"version {commit.version} is not at its place" for at, commit in enumerate(log) if commit.version != at]
    entries = [commit for commit in log if commit.entry]
    faults += [
        f"version {commit.version} breaks the sequence"
        for at, commit in enumerate(entries)
        if commit.entry["sequence"] != at
    ]
    if entries and entries[0].entry["previous"] is not None:
        faults.append("the first entry has one before it")
    for commit in entries[1:]:
        before = log[commit.version - 1]
        if commit.entry["previous"] != {"version": before.version, "sha256": before.sha256}:
            faults.append(f"version {commit.version} does not name the one before it")
    return faults

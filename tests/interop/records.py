"""Records as JSON values that can be compared and counted, and rows turned back into records."""

import json
from collections import Counter
from datetime import UTC
from decimal import Decimal

FIELDS = ["action", "category_type", "operation_detail", "operator"]


class Members(list):
    """The members of a JSON object, in order. A dict would drop repeated keys."""


def parse(text):
    """A JSON text as a hashable value: equal for equal JSON, whatever the spacing, escapes and order of keys.

    Keys that repeat are all kept, numbers are exact, and 1, 1.0, true and "1" are told apart.
    """
    return comparable(json.loads(text, object_pairs_hook=Members, parse_float=Decimal))


def comparable(value):
    if isinstance(value, Members):
        return (
            "object",
            tuple(sorted(((key, comparable(inner)) for key, inner in value), key=lambda member: member[0])),
        )
    if isinstance(value, list):
        return ("list", tuple(comparable(inner) for inner in value))
    return (type(value).__name__, value)


def count(texts):
    """How often each record is there."""
    return Counter(parse(text) for text in texts)


def of_row(row):
    """The record that became a row, by the table's promise alone: its JSON, or else the five fields."""
    if row["source_json"] is not None:
        return parse(row["source_json"])
    time = row["event_time"].astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return comparable(Members([*((field, row[field]) for field in FIELDS), ("time", time)]))


def difference(found, expected):
    """A few of the records that are too many or too few; empty where there are none."""
    return {"too many": list((found - expected).items())[:3], "too few": list((expected - found).items())[:3]}


NONE = {"too many": [], "too few": []}

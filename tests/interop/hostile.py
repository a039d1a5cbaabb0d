"""Records that try what a pipeline may get wrong: paths, time, JSON, Unicode, twins. All invented."""

import json

TIME = "2022-02-03T04:05:06Z"

CATEGORIES = [
    "../../x",
    "../" * 5 + "x",
    "/etc/passwd",
    "..",
    "a=b",
    "year=1999",
    "a/b\\c",
    "",
    " ",
    "\t\n",
    "📞",
    "é" * 1000,
    "x" * 1000,
    "Phone Number",
    "phone number ",
    "PHONE_NUMBER",
    "Números de teléfono",
    "电话",
    "null",
    "NULL",
    "true",
    "007",
    "1e3",
    "__HIVE_DEFAULT_PARTITION__",
    "%2e%2e%2f",
    "a%20b",
    'a:b*c?d"e<f>g|h',
    "nul\u0000byte",
    "\u202eright to left",
    "CON",
    ".hidden",
    "_underscore",
    "e\u0301",
    "\u00e9",
]

TIMES = [
    # Not to be read.
    "yesterday",
    "",
    " ",
    "2022-02-30T00:00:00Z",
    "2022-02-03",
    "2022-02-03T04:05",
    "0000-00-00T00:00:00Z",
    "10000-01-01T00:00:00Z",
    True,
    {"seconds": 1643861106},
    [],
    -1,
    12345678901234567890123456789,
    1e300,
    # To be read, but not as they will be shown.
    "2022-02-03 04:05:06",
    "2022-02-03T04:05:06",
    "2022-02-03T04:05:06+00:00",
    "2022-02-03t04:05:06z",
    "2022-02-03T04:05:06.5Z",
    "2022-02-03T04:05:06.123456789Z",
    "2022-02-03T04:05:60Z",
    " 2022-02-03T04:05:06Z ",
    "2022-02-01T00:30:00+02:00",
    "2022-02-28T23:30:00-02:00",
    1643861106,
    1643861106.25,
    1643861106000,
    "1643861106",
    # Served as some time or other.
    None,
]

VALUES = [None, "", " ", 0, -0.0, 1.0, 1.5e300, 2**63, 2**70, True, False, [], [1, "2", None], {}, {"a": {"b": [1]}}]

TEXTS = [
    "Add Phone Number +1 202 555 0143 to ext. 1001",
    "line one\nline two\r\nline three\ttab",
    'quote " backslash \\ slash / comma , semicolon ; pipe |',
    "nul \u0000 bell \u0007 delete \u007f next line \u0085 separator \u2028",
    "combining e\u0301, composed \u00e9, ligature \ufb01, wide \uff21",
    "عربي עברית 漢字 हिन्दी 👩‍👩‍👧‍👦 🇩🇪",
    "\ufeffbyte order mark and \ufffd replacement",
    "';DROP TABLE operation_logs;--",
    '=HYPERLINK("x")',
    "long " + "x" * 100_000,
]

# JSON that json.dumps does not write. A %s is a time.
VERBATIM = [
    r'{"action":"lone \ud800 high","category_type":"Device","operation_detail":"\udc00","operator":"\udfff","time":"%s"}',
    r'{"action":"ADD","category_type":"\ud800","operation_detail":"x","operator":"o","time":"%s"}',
    r'{"action":"ADD","category_type":"\ud801","operation_detail":"x","operator":"o","time":"%s"}',
    r'{"action":"ADD","category_type":"Device","operation_detail":"x","operator":"o","time":"\ud800 %s"}',
    r'{"action":"ADD","category_type":"Device","operation_detail":"\u0041\u00e9\ud83d\ude00\/","operator":"o","time":"%s"}',
    r'{ "time" : "%s" , "operator":"o", "operation_detail":"spaced","category_type":"Device", "action":"ADD" }',
    r'{"action":"ADD","category_type":"Device","operation_detail":"x","operator":"o","time":"%s","extra":1.0}',
    r'{"action":"ADD","category_type":"Device","operation_detail":"x","operator":"o","time":"%s","extra":1}',
    r'{"action":"ADD","category_type":"Device","operation_detail":"x","operator":"o","time":"%s","\ud800":"odd key"}',
    r'{"action":"ADD","action":"DELETE","category_type":"Device","operation_detail":"2","operator":"o","time":"%s"}',
    r'{"action":"ADD","category_type":"Device","operation_detail":"deep","operator":"o","time":"%s","extra":NESTED}',
]
NESTED = "[" * 90 + "]" * 90


def lines():
    """The records, as JSON texts, one a line."""
    records = [record(category_type=category) for category in CATEGORIES]
    records += [record(time=time, operation_detail=f"Time {index}") for index, time in enumerate(TIMES)]
    fields = ["action", "category_type", "operation_detail", "operator"]
    records += [record(**{field: value}) for field in fields for value in VALUES]
    records += [without(field) for field in [*fields, "time"]]
    records += [record(**{field: text}) for field in fields for text in TEXTS]
    records += [record(extra=value, **{"": text}) for value, text in zip(VALUES, TEXTS, strict=False)]
    records += [{}, {"unknown": 1}]

    # Twins: some whole, some that differ only in what is no column, some without a readable time. More than a page.
    records += [record(operation_detail="Twin")] * 25
    records += [record(operation_detail="Half twin", extra=index % 3) for index in range(9)]
    records += [record(time="no time", operation_detail="Twin")] * 5
    records += [record(time=7, operation_detail="Half twin", extra=index % 3) for index in range(9)]

    texts = [json.dumps(record, ensure_ascii=index % 2 == 0) for index, record in enumerate(records)]
    return texts + [text.replace("%s", TIME).replace("NESTED", NESTED) for text in VERBATIM]


def record(**changed):
    usual = {
        "action": "ADD",
        "category_type": "Device",
        "operation_detail": "Add Device Front Desk",
        "operator": "admin@example.com",
        "time": TIME,
    }
    return usual | changed


def without(field):
    return {name: value for name, value in record().items() if name != field}

-- operation_logs in DuckDB: a view of the newest version that the table's log names.
INSTALL delta;
LOAD delta;

CREATE OR REPLACE VIEW operation_logs AS
SELECT
    "record_id", -- VARCHAR
    "event_time", -- TIMESTAMP WITH TIME ZONE
    "account_id", -- VARCHAR
    "report", -- VARCHAR
    "action", -- VARCHAR
    "action_kind", -- VARCHAR
    "channel", -- VARCHAR
    "category_type", -- VARCHAR
    "operator", -- VARCHAR
    "operator_id", -- VARCHAR
    "operator_kind", -- VARCHAR
    "operator_domain", -- VARCHAR
    "operation_detail", -- VARCHAR
    "detail_status", -- VARCHAR
    "verb", -- VARCHAR
    "object_type", -- VARCHAR
    "object_name", -- VARCHAR
    "target_relation", -- VARCHAR
    "target_name", -- VARCHAR
    "target_email", -- VARCHAR
    "changes", -- STRUCT(field VARCHAR, old_value VARCHAR, new_value VARCHAR)[]
    "phone_numbers", -- VARCHAR[]
    "emails", -- VARCHAR[]
    "extensions", -- VARCHAR[]
    "parser_version", -- INTEGER
    "source_json", -- VARCHAR
    "ingested_at", -- TIMESTAMP WITH TIME ZONE
    "year", -- INTEGER
    "month", -- INTEGER
    "category" -- VARCHAR
FROM delta_scan('/srv/trail/operation_logs');

COMMENT ON VIEW operation_logs IS 'The Zoom Phone operation log: who changed what in the phone system, a row per record';
COMMENT ON COLUMN operation_logs."record_id" IS 'identity of the record: 32 hex digits over account, report, verbatim fields and ordinal';
COMMENT ON COLUMN operation_logs."event_time" IS 'when it happened, UTC; null where the upstream''s time cannot be read';
COMMENT ON COLUMN operation_logs."account_id" IS 'the upstream''s account';
COMMENT ON COLUMN operation_logs."report" IS 'the upstream''s report: phone';
COMMENT ON COLUMN operation_logs."action" IS 'action, verbatim';
COMMENT ON COLUMN operation_logs."action_kind" IS 'action in lower case without its channel: add, update, delete, ...';
COMMENT ON COLUMN operation_logs."channel" IS 'scim_api, rest_api or batch where the action names it; null for the console';
COMMENT ON COLUMN operation_logs."category_type" IS 'category_type, verbatim';
COMMENT ON COLUMN operation_logs."operator" IS 'operator, verbatim';
COMMENT ON COLUMN operation_logs."operator_id" IS 'operator trimmed, in NFC, emails in lower case';
COMMENT ON COLUMN operation_logs."operator_kind" IS 'user, system, app or unknown';
COMMENT ON COLUMN operation_logs."operator_domain" IS 'domain of the operator''s email address';
COMMENT ON COLUMN operation_logs."operation_detail" IS 'operation_detail, verbatim';
COMMENT ON COLUMN operation_logs."detail_status" IS 'parsed, ambiguous or unparsed';
COMMENT ON COLUMN operation_logs."verb" IS 'the detail''s verb in lower case: assign, delete, ...';
COMMENT ON COLUMN operation_logs."object_type" IS 'what was acted on, a singular slug: phone_number, device, ...';
COMMENT ON COLUMN operation_logs."object_name" IS 'which one, verbatim; the whole head of an unparsed detail';
COMMENT ON COLUMN operation_logs."target_relation" IS 'to, from, for, ...: how the second party takes part';
COMMENT ON COLUMN operation_logs."target_name" IS 'the second party''s name';
COMMENT ON COLUMN operation_logs."target_email" IS 'the second party''s email address, lower case';
COMMENT ON COLUMN operation_logs."changes" IS 'settings changed: field, old value, new value';
COMMENT ON COLUMN operation_logs."phone_numbers" IS 'every number written with a +, as + and digits';
COMMENT ON COLUMN operation_logs."emails" IS 'every email address in the detail, lower case';
COMMENT ON COLUMN operation_logs."extensions" IS 'every extension number in the detail';
COMMENT ON COLUMN operation_logs."parser_version" IS 'version of the detail parser that read the row';
COMMENT ON COLUMN operation_logs."source_json" IS 'the record''s JSON where the columns cannot reproduce it';
COMMENT ON COLUMN operation_logs."ingested_at" IS 'when the run that stored the row started to read, UTC';
COMMENT ON COLUMN operation_logs."year" IS 'UTC year of event_time; 0 where that is null';
COMMENT ON COLUMN operation_logs."month" IS 'UTC month of event_time, 1 to 12; 0 where that is null';
COMMENT ON COLUMN operation_logs."category" IS 'the category''s code, or a slug of an unknown one';

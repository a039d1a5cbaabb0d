-- operation_logs in Snowflake: the newest version that the table's log names, and a view of it that comments on the
-- columns. `trail_volume` is an external volume; the location is relative to it.
CREATE CATALOG INTEGRATION IF NOT EXISTS trail_delta
  CATALOG_SOURCE = OBJECT_STORE
  TABLE_FORMAT = DELTA
  ENABLED = TRUE;

CREATE OR REPLACE ICEBERG TABLE operation_logs_delta
  EXTERNAL_VOLUME = 'trail_volume'
  CATALOG = 'trail_delta'
  BASE_LOCATION = 'trail/operation_logs';
ALTER ICEBERG TABLE operation_logs_delta SET AUTO_REFRESH = TRUE;

CREATE OR REPLACE VIEW operation_logs (
  record_id COMMENT 'identity of the record: 32 hex digits over account, report, verbatim fields and ordinal', -- VARCHAR
  event_time COMMENT 'when it happened, UTC; null where the upstream\'s time cannot be read', -- TIMESTAMP_LTZ(6)
  account_id COMMENT 'the upstream\'s account', -- VARCHAR
  report COMMENT 'the upstream\'s report: phone', -- VARCHAR
  action COMMENT 'action, verbatim', -- VARCHAR
  action_kind COMMENT 'action in lower case without its channel: add, update, delete, ...', -- VARCHAR
  channel COMMENT 'scim_api, rest_api or batch where the action names it; null for the console', -- VARCHAR
  category_type COMMENT 'category_type, verbatim', -- VARCHAR
  operator COMMENT 'operator, verbatim', -- VARCHAR
  operator_id COMMENT 'operator trimmed, in NFC, emails in lower case', -- VARCHAR
  operator_kind COMMENT 'user, system, app or unknown', -- VARCHAR
  operator_domain COMMENT 'domain of the operator\'s email address', -- VARCHAR
  operation_detail COMMENT 'operation_detail, verbatim', -- VARCHAR
  detail_status COMMENT 'parsed, ambiguous or unparsed', -- VARCHAR
  verb COMMENT 'the detail\'s verb in lower case: assign, delete, ...', -- VARCHAR
  object_type COMMENT 'what was acted on, a singular slug: phone_number, device, ...', -- VARCHAR
  object_name COMMENT 'which one, verbatim; the whole head of an unparsed detail', -- VARCHAR
  target_relation COMMENT 'to, from, for, ...: how the second party takes part', -- VARCHAR
  target_name COMMENT 'the second party\'s name', -- VARCHAR
  target_email COMMENT 'the second party\'s email address, lower case', -- VARCHAR
  changes COMMENT 'settings changed: field, old value, new value', -- ARRAY(OBJECT(field VARCHAR, old_value VARCHAR, new_value VARCHAR))
  phone_numbers COMMENT 'every number written with a +, as + and digits', -- ARRAY(VARCHAR)
  emails COMMENT 'every email address in the detail, lower case', -- ARRAY(VARCHAR)
  extensions COMMENT 'every extension number in the detail', -- ARRAY(VARCHAR)
  parser_version COMMENT 'version of the detail parser that read the row', -- NUMBER(10, 0)
  source_json COMMENT 'the record\'s JSON where the columns cannot reproduce it', -- VARCHAR
  ingested_at COMMENT 'when the run that stored the row started to read, UTC', -- TIMESTAMP_LTZ(6)
  year COMMENT 'UTC year of event_time; 0 where that is null', -- NUMBER(10, 0)
  month COMMENT 'UTC month of event_time, 1 to 12; 0 where that is null', -- NUMBER(10, 0)
  category COMMENT 'the category\'s code, or a slug of an unknown one' -- VARCHAR
)
COMMENT = 'The Zoom Phone operation log: who changed what in the phone system, a row per record'
AS SELECT
  record_id,
  event_time,
  account_id,
  report,
  action,
  action_kind,
  channel,
  category_type,
  operator,
  operator_id,
  operator_kind,
  operator_domain,
  operation_detail,
  detail_status,
  verb,
  object_type,
  object_name,
  target_relation,
  target_name,
  target_email,
  changes,
  phone_numbers,
  emails,
  extensions,
  parser_version,
  source_json,
  ingested_at,
  year,
  month,
  category
FROM operation_logs_delta;

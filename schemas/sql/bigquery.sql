-- operation_logs in BigQuery: the newest version that the table's log names, and a view of it that describes the
-- columns. Put your dataset in the place of `trail`, and a Cloud resource connection that may read the bucket in
-- that of `us.trail`.
CREATE OR REPLACE EXTERNAL TABLE trail.operation_logs_delta
WITH CONNECTION `us.trail`
OPTIONS (format = 'DELTA_LAKE', uris = ['gs://example-bucket/trail/operation_logs']);

CREATE OR REPLACE VIEW trail.operation_logs (
  `record_id` OPTIONS (description = 'identity of the record: 32 hex digits over account, report, verbatim fields and ordinal'), -- STRING
  `event_time` OPTIONS (description = 'when it happened, UTC; null where the upstream\'s time cannot be read'), -- TIMESTAMP
  `account_id` OPTIONS (description = 'the upstream\'s account'), -- STRING
  `report` OPTIONS (description = 'the upstream\'s report: phone'), -- STRING
  `action` OPTIONS (description = 'action, verbatim'), -- STRING
  `action_kind` OPTIONS (description = 'action in lower case without its channel: add, update, delete, ...'), -- STRING
  `channel` OPTIONS (description = 'scim_api, rest_api or batch where the action names it; null for the console'), -- STRING
  `category_type` OPTIONS (description = 'category_type, verbatim'), -- STRING
  `operator` OPTIONS (description = 'operator, verbatim'), -- STRING
  `operator_id` OPTIONS (description = 'operator trimmed, in NFC, emails in lower case'), -- STRING
  `operator_kind` OPTIONS (description = 'user, system, app or unknown'), -- STRING
  `operator_domain` OPTIONS (description = 'domain of the operator\'s email address'), -- STRING
  `operation_detail` OPTIONS (description = 'operation_detail, verbatim'), -- STRING
  `detail_status` OPTIONS (description = 'parsed, ambiguous or unparsed'), -- STRING
  `verb` OPTIONS (description = 'the detail\'s verb in lower case: assign, delete, ...'), -- STRING
  `object_type` OPTIONS (description = 'what was acted on, a singular slug: phone_number, device, ...'), -- STRING
  `object_name` OPTIONS (description = 'which one, verbatim; the whole head of an unparsed detail'), -- STRING
  `target_relation` OPTIONS (description = 'to, from, for, ...: how the second party takes part'), -- STRING
  `target_name` OPTIONS (description = 'the second party\'s name'), -- STRING
  `target_email` OPTIONS (description = 'the second party\'s email address, lower case'), -- STRING
  `changes` OPTIONS (description = 'settings changed: field, old value, new value'), -- ARRAY<STRUCT<field STRING, old_value STRING, new_value STRING>>
  `phone_numbers` OPTIONS (description = 'every number written with a +, as + and digits'), -- ARRAY<STRING>
  `emails` OPTIONS (description = 'every email address in the detail, lower case'), -- ARRAY<STRING>
  `extensions` OPTIONS (description = 'every extension number in the detail'), -- ARRAY<STRING>
  `parser_version` OPTIONS (description = 'version of the detail parser that read the row'), -- INT64
  `source_json` OPTIONS (description = 'the record\'s JSON where the columns cannot reproduce it'), -- STRING
  `ingested_at` OPTIONS (description = 'when the run that stored the row started to read, UTC'), -- TIMESTAMP
  `year` OPTIONS (description = 'UTC year of event_time; 0 where that is null'), -- INT64
  `month` OPTIONS (description = 'UTC month of event_time, 1 to 12; 0 where that is null'), -- INT64
  `category` OPTIONS (description = 'the category\'s code, or a slug of an unknown one') -- STRING
)
OPTIONS (description = 'The Zoom Phone operation log: who changed what in the phone system, a row per record')
AS SELECT
  `record_id`,
  `event_time`,
  `account_id`,
  `report`,
  `action`,
  `action_kind`,
  `channel`,
  `category_type`,
  `operator`,
  `operator_id`,
  `operator_kind`,
  `operator_domain`,
  `operation_detail`,
  `detail_status`,
  `verb`,
  `object_type`,
  `object_name`,
  `target_relation`,
  `target_name`,
  `target_email`,
  `changes`,
  `phone_numbers`,
  `emails`,
  `extensions`,
  `parser_version`,
  `source_json`,
  `ingested_at`,
  `year`,
  `month`,
  `category`
FROM trail.operation_logs_delta;

-- operation_logs in Spark, by its files: right whenever no run is in progress. Where Delta Lake is installed, this
-- reads the newest version that the table's log names, at any time, and finds the columns there:
--
--   CREATE TABLE operation_logs USING delta LOCATION '/srv/trail/operation_logs';
CREATE TABLE IF NOT EXISTS operation_logs (
  `record_id` STRING COMMENT 'identity of the record: 32 hex digits over account, report, verbatim fields and ordinal',
  `event_time` TIMESTAMP COMMENT 'when it happened, UTC; null where the upstream\'s time cannot be read',
  `account_id` STRING COMMENT 'the upstream\'s account',
  `report` STRING COMMENT 'the upstream\'s report: phone',
  `action` STRING COMMENT 'action, verbatim',
  `action_kind` STRING COMMENT 'action in lower case without its channel: add, update, delete, ...',
  `channel` STRING COMMENT 'scim_api, rest_api or batch where the action names it; null for the console',
  `category_type` STRING COMMENT 'category_type, verbatim',
  `operator` STRING COMMENT 'operator, verbatim',
  `operator_id` STRING COMMENT 'operator trimmed, in NFC, emails in lower case',
  `operator_kind` STRING COMMENT 'user, system, app or unknown',
  `operator_domain` STRING COMMENT 'domain of the operator\'s email address',
  `operation_detail` STRING COMMENT 'operation_detail, verbatim',
  `detail_status` STRING COMMENT 'parsed, ambiguous or unparsed',
  `verb` STRING COMMENT 'the detail\'s verb in lower case: assign, delete, ...',
  `object_type` STRING COMMENT 'what was acted on, a singular slug: phone_number, device, ...',
  `object_name` STRING COMMENT 'which one, verbatim; the whole head of an unparsed detail',
  `target_relation` STRING COMMENT 'to, from, for, ...: how the second party takes part',
  `target_name` STRING COMMENT 'the second party\'s name',
  `target_email` STRING COMMENT 'the second party\'s email address, lower case',
  `changes` ARRAY<STRUCT<field: STRING, old_value: STRING, new_value: STRING>> COMMENT 'settings changed: field, old value, new value',
  `phone_numbers` ARRAY<STRING> COMMENT 'every number written with a +, as + and digits',
  `emails` ARRAY<STRING> COMMENT 'every email address in the detail, lower case',
  `extensions` ARRAY<STRING> COMMENT 'every extension number in the detail',
  `parser_version` INT COMMENT 'version of the detail parser that read the row',
  `source_json` STRING COMMENT 'the record\'s JSON where the columns cannot reproduce it',
  `ingested_at` TIMESTAMP COMMENT 'when the run that stored the row started to read, UTC',
  `year` INT COMMENT 'UTC year of event_time; 0 where that is null',
  `month` INT COMMENT 'UTC month of event_time, 1 to 12; 0 where that is null',
  `category` STRING COMMENT 'the category\'s code, or a slug of an unknown one'
)
USING parquet
PARTITIONED BY (year, month, category)
LOCATION '/srv/trail/operation_logs'
COMMENT 'The Zoom Phone operation log: who changed what in the phone system, a row per record';

-- After every run: makes its partitions known.
MSCK REPAIR TABLE operation_logs;

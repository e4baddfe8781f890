/** Words that stand before a `(` without calling a function: keywords, and types with a size. */
const NO_CALLS = `all analyze and any array as asc between bit bpchar by case char character check coalesce collate conflict copy cube
  decimal default desc distinct do else elsif end except exists explain extract filter float for foreign from generated group grouping
  having if ilike in include including index int intersect interval is join key lateral like limit materialized not null
  nulls numeric nvarchar of offset on only or order over partition perform position precision primary range references return returning
  rollup row rows select set sets similar some start stored table tablesample then time timestamp timestamptz to
  trim union unique update using vacuum value values varbit varchar varying view when where while window with within without zone`;

/** Functions of PostgreSQL's own that leave nothing in the session, as often as applications use them. */
const FUNCTIONS = `abs age any_value array_agg array_append array_cat array_dims array_length array_lower array_ndims array_position
  array_positions array_prepend array_remove array_replace array_to_json array_to_string array_upper ascii avg bit_and
  bit_length bit_or bool_and bool_or btrim bytea cardinality cast ceil ceiling char_length character_length chr
  clock_timestamp coalesce col_description concat concat_ws convert_from convert_to corr count cume_dist current_database
  current_schema current_schemas current_setting date date_bin date_part date_trunc daterange decode degrees dense_rank
  div encode every exp first_value floor format format_type gen_random_uuid generate_series generate_subscripts
  get_bit get_byte greatest has_database_privilege has_schema_privilege has_table_privilege host initcap int4 int4range
  int8 int8range isfinite json_agg json_array json_array_elements json_array_elements_text json_array_length
  json_build_array json_build_object json_each json_each_text json_extract_path json_extract_path_text json_object
  json_object_agg json_object_keys json_populate_record json_populate_recordset json_strip_nulls json_to_record
  json_to_recordset json_typeof jsonb_agg jsonb_array_elements jsonb_array_elements_text jsonb_array_length
  jsonb_build_array jsonb_build_object jsonb_each jsonb_each_text jsonb_exists jsonb_extract_path
  jsonb_extract_path_text jsonb_insert jsonb_object jsonb_object_agg jsonb_object_keys jsonb_path_exists jsonb_path_match
  jsonb_path_query jsonb_path_query_array jsonb_path_query_first jsonb_populate_record jsonb_populate_recordset
  jsonb_pretty jsonb_set jsonb_set_lax jsonb_strip_nulls jsonb_to_record jsonb_to_recordset jsonb_typeof justify_days
  justify_hours justify_interval lag last_value lead least left length ln log lower lower_inc lpad ltrim make_date
  make_interval make_time make_timestamp make_timestamptz max md5 min mod mode now nth_value ntile nullif
  num_nonnulls num_nulls numrange obj_description octet_length overlay percent_rank percentile_cont percentile_disc
  pg_advisory_xact_lock pg_advisory_xact_lock_shared pg_backend_pid pg_column_size pg_database_size pg_get_constraintdef
  pg_get_expr pg_get_indexdef pg_get_serial_sequence pg_get_viewdef pg_is_in_recovery pg_notify pg_relation_size
  pg_size_pretty pg_sleep pg_table_is_visible pg_table_size pg_total_relation_size pg_try_advisory_xact_lock
  pg_try_advisory_xact_lock_shared pg_typeof phraseto_tsquery pi plainto_tsquery pow power quote_ident quote_literal
  quote_nullable radians random range_agg rank regexp_count regexp_instr regexp_like regexp_match regexp_matches
  regexp_replace regexp_split_to_array regexp_split_to_table regexp_substr repeat replace reverse right round row_number
  row_to_json rpad rtrim scale setweight sha224 sha256 sha384 sha512 shobj_description sign split_part sqrt
  starts_with statement_timestamp stddev stddev_pop stddev_samp string_agg string_to_array string_to_table strip strpos
  substr substring sum timeofday timezone to_char to_date to_hex to_json to_jsonb to_number to_regclass to_timestamp
  to_tsquery to_tsvector transaction_timestamp translate trim_array trunc ts_headline ts_rank ts_rank_cd tsrange
  tstzrange txid_current unistr unnest upper upper_inc uuidv4 uuidv7 var_pop var_samp variance version
  websearch_to_tsquery width_bucket xmlagg`;

/** What may stand before a `(` in a statement that leaves nothing in its session. */
export const STATELESS_WORDS: ReadonlySet<string> = new Set(`${NO_CALLS} ${FUNCTIONS}`.split(/\s+/));

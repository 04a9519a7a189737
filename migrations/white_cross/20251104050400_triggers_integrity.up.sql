-- 20251104050400_triggers_integrity
-- Purpose: a SHA-256 checksum for each row of five tables that are evidence, compared when the row next
--     changes and by verify_integrity; an alert for each that does not hold; the alerts are a hash chain.
-- HIPAA: integrity (45 CFR 164.312(c)). Checksums cover columns that are no PHI: a plain digest of a short
--     value, a number for instance, gives the value away. Sealed columns authenticate themselves.
-- Depends on: 030400_indexes_features (one checksum a row), 040200_data_mark_phi_columns,
--     050200_triggers_append_only, 050300_triggers_audit_phi.

-- The columns are named, so that one added later does not change the checksums of all rows. Left out are
-- PHI, sealed columns, and updated_at, which would only repeat that something changed.
CREATE FUNCTION integrity_columns(p_table text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
    SELECT CASE p_table
        WHEN 'billing_claims' THEN ARRAY[
            'id', 'student_id', 'clinic_visit_id', 'medicaid_eligibility_id', 'status', 'service_on',
            'amount_billed', 'amount_paid', 'submitted_at', 'paid_on', 'denial_code',
            'created_by', 'updated_by', 'created_at', 'deleted_at']
        WHEN 'consent_signatures' THEN ARRAY[
            'id', 'consent_form_id', 'student_id', 'status', 'signed_at', 'withdrawn_at', 'expires_on',
            'created_by', 'updated_by', 'created_at', 'deleted_at']
        WHEN 'document_access_log' THEN ARRAY[
            'id', 'shared_document_id', 'user_id', 'action', 'accessed_at', 'ip_address', 'user_agent',
            'created_at']
        WHEN 'phi_disclosure_audits' THEN ARRAY[
            'id', 'phi_disclosure_id', 'actor_id', 'action', 'changed_columns', 'performed_by',
            'ip_address', 'user_agent', 'created_at']
        WHEN 'phi_disclosures' THEN ARRAY[
            'id', 'student_id', 'disclosed_by', 'authorization_id', 'disclosure_type', 'purpose', 'method',
            'recipient_type', 'disclosed_at', 'follow_up_required', 'follow_up_on', 'follow_up_status',
            'retain_until', 'created_by', 'updated_by', 'created_at', 'deleted_at']
        WHEN 'tamper_alerts' THEN ARRAY[
            'id', 'checksum_id', 'sequence', 'previous_hash', 'severity', 'table_name', 'record_id',
            'description', 'detected_at', 'created_at']
    END
$$;
COMMENT ON FUNCTION integrity_columns(text) IS
    'The columns that a checksum of the table, or an entry of the chain of alerts, covers.';

CREATE FUNCTION integrity_tables() RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
    SELECT ARRAY[
        'billing_claims', 'consent_signatures', 'document_access_log', 'phi_disclosure_audits', 'phi_disclosures'
    ]
$$;
COMMENT ON FUNCTION integrity_tables() IS 'The tables whose rows have checksums.';

-- Checked now, while a slip can be corrected.
DO $$
BEGIN
    IF EXISTS (
        SELECT
          FROM unnest(integrity_tables() || 'tamper_alerts'::text) AS t (name)
         CROSS JOIN unnest(integrity_columns(t.name)) AS c (name)
          LEFT JOIN pg_catalog.pg_attribute AS a
            ON a.attrelid = t.name::regclass AND a.attname = c.name AND NOT a.attisdropped
         WHERE a.attnum IS NULL OR col_description(a.attrelid, a.attnum) LIKE 'PHI:%'
    ) THEN
        RAISE EXCEPTION 'a checksum would cover a column that is missing or PHI';
    END IF;
END $$;

-- Of the table's name and the columns as JSON. Whoever calls this has set the time zone to UTC and
-- bytea_output to hex, by which the row was made into JSON.
CREATE FUNCTION integrity_digest(p_table text, p_row jsonb) RETURNS bytea
LANGUAGE plpgsql STABLE STRICT SET search_path FROM CURRENT AS $$
BEGIN
    RETURN (
        SELECT sha256(convert_to(p_table || ' ' || jsonb_object_agg(c.name, p_row -> c.name)::text, 'UTF8'))
          FROM unnest(integrity_columns(p_table)) AS c (name)
    );
END $$;
COMMENT ON FUNCTION integrity_digest(text, jsonb) IS 'SHA-256 of the columns of a row that its checksum covers.';

-- The chain of alerts. Appends queue for a lock, so that each sees the one before.

CREATE FUNCTION tamper_chain() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT SET timezone = 'UTC' SET bytea_output = 'hex' AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('tamper_alerts', TG_RELID::bigint));
    SELECT a.sequence + 1, a.entry_hash
      INTO NEW.sequence, NEW.previous_hash
      FROM tamper_alerts AS a
     ORDER BY a.sequence DESC
     LIMIT 1;
    NEW.sequence := coalesce(NEW.sequence, 1);
    NEW.entry_hash := integrity_digest('tamper_alerts', to_jsonb(NEW));
    RETURN NEW;
END $$;
COMMENT ON FUNCTION tamper_chain() IS 'Gives an alert its place in the chain, whatever it came with.';

CREATE TRIGGER tamper_chain BEFORE INSERT ON tamper_alerts
    FOR EACH ROW EXECUTE FUNCTION tamper_chain();

CREATE FUNCTION tamper_chain_head() RETURNS TABLE (sequence bigint, entry_hash bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
    SELECT a.sequence, a.entry_hash FROM tamper_alerts AS a ORDER BY a.sequence DESC LIMIT 1
$$;
COMMENT ON FUNCTION tamper_chain_head() IS
    'The last alert: noted outside the database, it shows later whether the end of the chain was cut off.';
REVOKE EXECUTE ON FUNCTION tamper_chain_head() FROM PUBLIC;

CREATE FUNCTION verify_tamper_chain(p_sequence bigint DEFAULT NULL, p_entry_hash bytea DEFAULT NULL)
RETURNS TABLE (sequence bigint, finding text)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path FROM CURRENT SET timezone = 'UTC' SET bytea_output = 'hex' AS $$
    SELECT c.sequence, f.finding
      FROM (
        SELECT a.sequence, a.previous_hash, a.entry_hash,
               integrity_digest('tamper_alerts', to_jsonb(a)) AS digest,
               lag(a.sequence) OVER chain AS sequence_before,
               lag(a.entry_hash) OVER chain AS hash_before
          FROM tamper_alerts AS a
        WINDOW chain AS (ORDER BY a.sequence)
      ) AS c
     CROSS JOIN LATERAL (VALUES
        ('the entry was changed', c.entry_hash <> c.digest),
        ('entries before it are missing', c.sequence <> coalesce(c.sequence_before, 0) + 1),
        ('it does not follow the entry before', c.previous_hash IS DISTINCT FROM c.hash_before)
      ) AS f (finding, found)
     WHERE f.found
    UNION ALL
    SELECT p_sequence, 'the head that was noted is not in the chain'
     WHERE p_sequence IS NOT NULL
       AND NOT EXISTS (
        SELECT FROM tamper_alerts AS a WHERE a.sequence = p_sequence AND a.entry_hash = p_entry_hash
       )
$$;
COMMENT ON FUNCTION verify_tamper_chain(bigint, bytea) IS
    'What is wrong with the chain of alerts, given a head noted earlier; no row if nothing is.';
REVOKE EXECUTE ON FUNCTION verify_tamper_chain(bigint, bytea) FROM PUBLIC;

-- Alerts are raised once, until the checksum is made anew.
CREATE FUNCTION integrity_alert(p_table text, p_record uuid, p_checksum uuid, p_finding text) RETURNS boolean
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO tamper_alerts (checksum_id, table_name, record_id, description, detected_at)
    SELECT p_checksum, p_table, p_record, p_finding, clock_timestamp()
     WHERE NOT EXISTS (
        SELECT
          FROM tamper_alerts AS a
          LEFT JOIN data_integrity_checksums AS c ON c.id = p_checksum
         WHERE a.table_name = p_table
           AND a.record_id = p_record
           AND a.description = p_finding
           AND a.detected_at > coalesce(c.computed_at, '-infinity')
     );
    RETURN FOUND;
END $$;
COMMENT ON FUNCTION integrity_alert(text, uuid, uuid, text) IS
    'Raises an alert about a row, unless it was raised since the checksum was made; true if it was not.';

-- The row as it was is compared before the new checksum replaces the old: what was changed past the
-- triggers shows at the next change at the latest.
CREATE FUNCTION integrity_follow() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT SET timezone = 'UTC' SET bytea_output = 'hex' AS $$
DECLARE
    known_id uuid;
    known bytea;
BEGIN
    IF TG_OP <> 'INSERT' THEN
        SELECT c.id, c.checksum
          INTO known_id, known
          FROM data_integrity_checksums AS c
         WHERE c.table_name = TG_TABLE_NAME AND c.record_id = OLD.id;
        IF known IS NULL THEN
            PERFORM integrity_alert(TG_TABLE_NAME, OLD.id, NULL, 'the row has no checksum');
        ELSIF known <> integrity_digest(TG_TABLE_NAME, to_jsonb(OLD)) THEN
            PERFORM integrity_alert(TG_TABLE_NAME, OLD.id, known_id, 'the row was changed past its triggers');
        END IF;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO data_integrity_checksums AS c (table_name, record_id, checksum, computed_at)
        VALUES (TG_TABLE_NAME, NEW.id, integrity_digest(TG_TABLE_NAME, to_jsonb(NEW)), clock_timestamp())
        ON CONFLICT (table_name, record_id) DO UPDATE
           SET checksum = excluded.checksum, computed_at = excluded.computed_at, verified_at = NULL
         WHERE c.checksum <> excluded.checksum;
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION integrity_follow() IS 'Compares the checksum of a row that changes, and makes the next.';

-- Which tables: records that must stand up later, and the two logs about them whose rows never change. Not
-- audit_logs, where it would double the cost of every write, nor configuration_history: settings may be
-- secrets, and their digests guessable.
DO $$
DECLARE
    tab text;
BEGIN
    FOREACH tab IN ARRAY ARRAY['billing_claims', 'consent_signatures', 'phi_disclosures'] LOOP
        EXECUTE format('CREATE TRIGGER integrity_follow AFTER INSERT OR DELETE ON %I
            FOR EACH ROW EXECUTE FUNCTION integrity_follow()', tab);
        EXECUTE format('CREATE TRIGGER integrity_follow_update AFTER UPDATE ON %I FOR EACH ROW
            WHEN (current_setting(''phiseal.engine'', true) IS DISTINCT FROM ''on'' AND OLD *<> NEW)
            EXECUTE FUNCTION integrity_follow()', tab);
    END LOOP;
    FOREACH tab IN ARRAY ARRAY['document_access_log', 'phi_disclosure_audits'] LOOP
        EXECUTE format('CREATE TRIGGER integrity_follow AFTER INSERT ON %I
            FOR EACH ROW EXECUTE FUNCTION integrity_follow()', tab);
    END LOOP;
END $$;

CREATE FUNCTION integrity_record(p_table text, p_record uuid DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT SET timezone = 'UTC' SET bytea_output = 'hex' AS $$
DECLARE
    made bigint;
    gone boolean;
BEGIN
    IF p_table IS NULL OR p_table <> ALL (integrity_tables()) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value', MESSAGE = 'integrity_record: the table has no checksums';
    END IF;
    EXECUTE format(
        'INSERT INTO data_integrity_checksums AS c (table_name, record_id, checksum, computed_at)
         SELECT %1$L, t.id, integrity_digest(%1$L, to_jsonb(t)), clock_timestamp()
           FROM %1$I AS t
          WHERE $1 IS NULL OR t.id = $1
         ON CONFLICT (table_name, record_id) DO UPDATE
            SET checksum = excluded.checksum, computed_at = excluded.computed_at, verified_at = NULL
          WHERE c.checksum <> excluded.checksum', p_table)
    USING p_record;
    GET DIAGNOSTICS made = ROW_COUNT;
    EXECUTE format(
        'SELECT EXISTS (SELECT FROM data_integrity_checksums AS c WHERE c.table_name = %1$L AND c.record_id = $1)
            AND NOT EXISTS (SELECT FROM %1$I AS t WHERE t.id = $1)', p_table)
    INTO gone USING p_record;
    IF made > 0 OR gone THEN
        INSERT INTO audit_logs (user_id, action, entity_type, entity_id, description, performed_by, ip_address)
        VALUES (
            audit_actor(), CASE WHEN gone THEN 'CHECKSUM_GONE' ELSE 'CHECKSUM' END, p_table, p_record,
            CASE WHEN gone THEN 'a row that is gone is no longer looked for' ELSE 'checksums made anew' END,
            audit_performer(), inet_client_addr()
        );
    END IF;
    RETURN made;
END $$;
COMMENT ON FUNCTION integrity_record(text, uuid) IS
    'Makes the checksum of a row, or of all rows of a table, as they are now: after a load that passed the triggers, or once an alert is settled; of a row that is gone, ends the search. Returns how many changed; is logged.';
REVOKE EXECUTE ON FUNCTION integrity_record(text, uuid) FROM PUBLIC;

-- A row that was deleted or truncated in the open is in audit_logs. One statement compares a table: row and
-- checksum are of one moment.
CREATE FUNCTION verify_integrity(p_table text DEFAULT NULL)
RETURNS TABLE (table_name text, record_id uuid, finding text, is_new boolean)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT SET timezone = 'UTC' SET bytea_output = 'hex' AS $$
#variable_conflict use_column
DECLARE
    tab text;
    bad record;
    bad_ids uuid[];
BEGIN
    IF p_table <> ALL (integrity_tables()) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value', MESSAGE = 'verify_integrity: the table has no checksums';
    END IF;
    FOREACH tab IN ARRAY CASE WHEN p_table IS NULL THEN integrity_tables() ELSE ARRAY[p_table] END LOOP
        bad_ids := '{}';
        FOR bad IN EXECUTE format(
            'SELECT c.id AS checksum_id, coalesce(t.id, c.record_id) AS record_id,
                    CASE
                        WHEN t.id IS NULL THEN ''the row was deleted past its triggers''
                        WHEN c.id IS NULL THEN ''the row has no checksum''
                        ELSE ''the row was changed past its triggers''
                    END AS finding
               FROM (SELECT * FROM data_integrity_checksums WHERE table_name = %1$L) AS c
               FULL JOIN %1$I AS t ON t.id = c.record_id
              WHERE c.checksum IS DISTINCT FROM integrity_digest(%1$L, to_jsonb(t))
                AND NOT (t.id IS NULL AND EXISTS (
                    SELECT
                      FROM audit_logs AS a
                     WHERE a.entity_type = %1$L
                       AND a.created_at >= c.created_at
                       AND (a.entity_id = c.record_id AND a.action IN (''DELETE'', ''CHECKSUM_GONE'')
                            OR a.entity_id IS NULL AND a.action = ''TRUNCATE'')
                ))', tab)
        LOOP
            bad_ids := bad_ids || bad.record_id;
            table_name := tab;
            record_id := bad.record_id;
            finding := bad.finding;
            is_new := integrity_alert(tab, bad.record_id, bad.checksum_id, bad.finding);
            RETURN NEXT;
        END LOOP;
        UPDATE data_integrity_checksums AS c
           SET verified_at = clock_timestamp()
         WHERE c.table_name = tab AND c.record_id <> ALL (bad_ids);
    END LOOP;
END $$;
COMMENT ON FUNCTION verify_integrity(text) IS
    'Compares all checksums, of one table or all; raises an alert for each row whose checksum does not hold, and returns them.';
REVOKE EXECUTE ON FUNCTION verify_integrity(text) FROM PUBLIC;

-- Rows that are there already.
DO $$
BEGIN
    PERFORM integrity_record(t.name) FROM unnest(integrity_tables()) AS t (name);
END $$;

-- Security of the set white_cross, tried with real roles. Run after white_cross_rows.sql, which says how, in the same
-- string or session. Every expectation is checked: a wrong outcome raises "EXPECTED …" and ends the script. The last
-- row is 'all hold'; everything is rolled back, the roles too.

-- 1. Row-level security -----------------------------------------------------------------------------------------------

-- On all 49 PHI tables, enabled and not forced; each with a policy.
SELECT gives($$
    SELECT concat_ws(' ', count(*), bool_and(c.relrowsecurity), bool_or(c.relforcerowsecurity),
                     bool_and(EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polpermissive)))
      FROM unnest(audit_phi_tables()) AS t JOIN pg_class c ON c.oid = t::regclass$$, '49 t f t');
-- Nothing is granted to PUBLIC: on no table or view, and no EXECUTE on the functions that write or look up.
SELECT gives($$
    SELECT count(*) FROM pg_class c, aclexplode(c.relacl) x
     WHERE c.relnamespace = current_schema()::regnamespace AND x.grantee = 0$$, '0');
SELECT gives($$
    SELECT string_agg(p.proname, ' ' ORDER BY p.proname) FROM pg_proc p
     WHERE p.pronamespace = current_schema()::regnamespace AND p.prosecdef AND p.prorettype <> 'trigger'::regtype
       AND has_function_privilege('phiseal_test_white_cross_app', p.oid, 'EXECUTE')$$,
    'app_conversation_ids app_conversation_is_new app_district_ids app_school_ids');

SET SESSION AUTHORIZATION phiseal_test_white_cross_app;

-- No context, or a broken one: no row of any PHI table, and none of the others.
SELECT blind(NULL, NULL, NULL, NULL);
SELECT blind('', '', '', '');
SELECT blind('u1', NULL, NULL, NULL);                               -- no role
SELECT blind(NULL, 'ADMIN', NULL, NULL);                            -- a role without a user
SELECT blind('not an id', 'ADMIN', NULL, NULL);
SELECT blind(id('u1') || ' ', 'ADMIN', NULL, NULL);
SELECT blind('u1', 'SUPERUSER', NULL, NULL);                        -- no such role
SELECT blind('u1', 'admin', NULL, NULL);
SELECT blind('u4', 'NURSE', NULL, NULL);                            -- a nurse of no school
SELECT blind('u4', 'NURSE', 'not an id', NULL);
SELECT blind('u2', 'DISTRICT_ADMIN', 's1', NULL);                   -- of no district
SELECT as_user(NULL, NULL, NULL, NULL);
SELECT gives(format('SELECT count(*) FROM %I', t), '0')
  FROM unnest(ARRAY[
    'users', 'sessions', 'device_tokens', 'audit_logs', 'phi_disclosure_audits', 'document_access_log',
    'configuration_history', 'data_integrity_checksums', 'tamper_alerts', 'integration_configs', 'sis_sync_configs',
    'registry_connections', 'webhooks', 'conversation_participants', 'students_masked', 'emergency_contacts_masked',
    'health_records_masked', 'allergies_masked', 'vaccinations_masked', 'prescriptions_masked', 'clinic_visits_masked',
    'mental_health_records_masked']) AS t;
SELECT refused($$INSERT INTO students (first_name) VALUES ('secret')$$, '42501');

-- ADMIN: every table but mental_health_records, which are the counselors'.
SELECT as_user('u1', 'ADMIN', NULL, NULL);
SELECT gives($$SELECT concat_ws(' ', tables, unseen) FROM seen()$$, '48 mental_health_records');
SELECT gives($$SELECT count(*) FROM students$$, '4');

-- DISTRICT_ADMIN: the students of the district, in both schools and in none; not of the other district.
SELECT as_user('u2', 'DISTRICT_ADMIN', NULL, 'd1');
SELECT gives($$SELECT string_agg(right(id::text, 2), ' ' ORDER BY id) FROM students$$, '41 42 44');
SELECT gives($$SELECT unseen FROM seen()$$,
    'mental_health_records messages message_delivery push_notifications report_instances');
SELECT as_user('u2', 'DISTRICT_ADMIN', NULL, 'd2');
SELECT gives($$SELECT string_agg(right(id::text, 2), ' ' ORDER BY id) FROM students$$, '43');
SELECT gives($$SELECT tables FROM seen()$$, '1');

-- SCHOOL_ADMIN, NURSE, COUNSELOR: the school's student and all that hangs on it.
SELECT as_user('u3', 'SCHOOL_ADMIN', 's1', NULL);
SELECT gives($$SELECT string_agg(right(id::text, 2), ' ' ORDER BY id) FROM students$$, '41');
SELECT gives($$SELECT unseen FROM seen()$$,
    'mental_health_records messages message_delivery push_notifications report_instances'
    || ' sync_queue_items sync_conflicts sis_sync_conflicts sis_sync_errors outbreak_case_clusters');
SELECT gives($$SELECT count(*) FROM health_records$$, '1');         -- not the confidential one
SELECT as_user('u4', 'NURSE', 's1', NULL);
SELECT gives($$SELECT unseen FROM seen()$$,
    'mental_health_records messages message_delivery push_notifications report_instances'
    || ' sync_queue_items sync_conflicts sis_sync_conflicts sis_sync_errors outbreak_case_clusters');
SELECT gives($$SELECT count(*) FROM health_records$$, '2');
SELECT as_user('u5', 'COUNSELOR', 's1', NULL);
SELECT gives($$SELECT unseen FROM seen()$$,
    'messages message_delivery push_notifications report_instances'
    || ' sync_queue_items sync_conflicts sis_sync_conflicts sis_sync_errors outbreak_case_clusters'
    || ' medicaid_eligibility billing_claims');
SELECT gives($$SELECT count(*) FROM mental_health_records$$, '1');
-- The nurse of another district's school: her own student, nothing else.
SELECT as_user('u7', 'NURSE', 's3', NULL);
SELECT gives($$SELECT tables FROM seen()$$, '1');
SELECT gives($$SELECT string_agg(right(id::text, 2), ' ') FROM students$$, '43');
-- VIEWER: no PHI.
SELECT as_user('u6', 'VIEWER', 's1', 'd1');
SELECT gives($$SELECT tables FROM seen()$$, '0');

-- Writing. A nurse writes care in her school, and in no other; she moves no student to another school.
SELECT as_user('u4', 'NURSE', 's1', NULL);
SELECT meets($$INSERT INTO allergies (student_id, allergy_type, severity, allergen)
    VALUES (id('t1'), 'FOOD', 'MILD', 'secret')$$, 1);
SELECT refused($$INSERT INTO allergies (student_id, allergy_type, severity, allergen)
    VALUES (id('t2'), 'FOOD', 'MILD', 'secret')$$, '42501');
SELECT meets($$UPDATE allergies SET notes = 'secret'$$, 2);
SELECT refused($$UPDATE allergies SET student_id = id('t2')$$, '42501');
SELECT refused($$UPDATE students SET school_id = id('s2')$$, '42501');
SELECT meets($$UPDATE students SET grade = '5'$$, 1);
SELECT meets($$DELETE FROM allergies$$, 0);                         -- deleting is ADMIN's
SELECT meets($$UPDATE allergies SET deleted_at = now() WHERE notes IS NOT NULL$$, 2);
SELECT meets($$UPDATE allergies SET deleted_at = NULL$$, 2);
SELECT meets($$UPDATE medication_logs SET notes = 'secret'$$, 1);
SELECT refused($$INSERT INTO mental_health_records (student_id, record_type) VALUES (id('t1'), 'CRISIS')$$, '42501');
-- Others read care and do not write it; the office writes what is the office's.
SELECT as_user('u3', 'SCHOOL_ADMIN', 's1', NULL);
SELECT gives($$SELECT count(*) FROM allergies$$, '2');
SELECT meets($$UPDATE allergies SET notes = 'secret'$$, 0);
SELECT refused($$INSERT INTO allergies (student_id, allergy_type, severity) VALUES (id('t1'), 'FOOD', 'MILD')$$,
    '42501');
SELECT meets($$UPDATE emergency_contacts SET phone = 'secret'$$, 1);
SELECT as_user('u5', 'COUNSELOR', 's1', NULL);
SELECT meets($$UPDATE mental_health_records SET plan = 'secret'$$, 1);
SELECT meets($$DELETE FROM mental_health_records$$, 0);
SELECT meets($$UPDATE vaccinations SET notes = 'secret'$$, 0);
SELECT as_user('u1', 'ADMIN', NULL, NULL);
SELECT meets($$UPDATE mental_health_records SET plan = NULL$$, 0);
SELECT meets($$DELETE FROM allergies WHERE notes = 'secret'$$, 2);

-- Users: nobody rises above the own rank, makes a peer of a higher one, or changes one.
SELECT as_user('u3', 'SCHOOL_ADMIN', 's1', NULL);
SELECT refused($$UPDATE users SET role = 'ADMIN' WHERE id = id('u3')$$, '42501');
SELECT refused($$INSERT INTO users (email, password, first_name, last_name, role, school_id)
    VALUES ('x', 'secret', 'x', 'x', 'ADMIN', id('s1'))$$, '42501');
SELECT refused($$INSERT INTO users (email, password, first_name, last_name, role, school_id)
    VALUES ('x', 'secret', 'x', 'x', 'NURSE', id('s2'))$$, '42501');
SELECT meets($$INSERT INTO users (email, password, first_name, last_name, role, school_id)
    VALUES ('x', 'secret', 'x', 'x', 'NURSE', id('s1'))$$, 1);
SELECT meets($$UPDATE users SET password = 'secret' WHERE id = id('u1')$$, 0);
SELECT as_user('u4', 'NURSE', 's1', NULL);
SELECT meets($$UPDATE users SET last_login = now() WHERE id = id('u4')$$, 1);
SELECT meets($$UPDATE users SET last_login = now() WHERE id = id('u5')$$, 0);
SELECT refused($$UPDATE users SET role = 'COUNSELOR' WHERE id = id('u4')$$, '42501');
SELECT refused($$UPDATE users SET school_id = id('s2') WHERE id = id('u4')$$, '42501');
SELECT gives($$SELECT count(*) FROM sessions$$, '0');               -- u1's is hidden

-- A conversation is read by those who take part; nobody lets himself in.
SELECT gives($$SELECT count(*) FROM messages$$, '0');
SELECT refused($$INSERT INTO conversation_participants (conversation_id, user_id)
    SELECT id, id('u4') FROM conversations$$, '42501');
INSERT INTO conversations (id, school_id) VALUES (id('51'), id('s1'));
INSERT INTO conversation_participants (conversation_id, user_id) VALUES (id('51'), id('u4'));
INSERT INTO conversation_participants (conversation_id, user_id) VALUES (id('51'), id('u5'));
INSERT INTO messages (conversation_id, sender_id, body) VALUES (id('51'), id('u4'), 'secret');
SELECT gives($$SELECT count(*) FROM messages$$, '1');
SELECT refused($$INSERT INTO messages (conversation_id, sender_id) VALUES (id('51'), id('u5'))$$, '42501');
SELECT as_user('u5', 'COUNSELOR', 's1', NULL);
SELECT gives($$SELECT count(*) FROM messages$$, '1');
SELECT meets($$UPDATE messages SET body = 'secret'$$, 0);           -- the sender's
SELECT as_user('u3', 'SCHOOL_ADMIN', 's1', NULL);
SELECT gives($$SELECT count(*) FROM messages$$, '0');

-- 2. Masking ----------------------------------------------------------------------------------------------------------

SELECT as_user('u6', 'VIEWER', 's1', NULL);
SELECT gives($$SELECT concat_ws(' ', count(*), min(first_name), min(ssn), count(date_of_birth), count(grade))
    FROM students_masked$$, '1 *** *** 0 1');
SELECT gives($$SELECT count(*) FROM health_records_masked$$, '1');          -- the other is confidential
SELECT gives($$SELECT count(*) FROM emergency_contacts_masked$$, '1');
SELECT gives($$SELECT count(*) FROM mental_health_records_masked$$, '0');   -- not for VIEWER
SELECT as_user('u4', 'NURSE', 's1', NULL);
SELECT gives($$SELECT concat_ws(' ', count(*), count(student_id), min(risk)) FROM mental_health_records_masked$$,
    '1 0 ***');
SELECT as_user('u7', 'NURSE', 's3', NULL);
SELECT gives($$SELECT count(*) FROM students_masked$$, '1');
SELECT gives($$SELECT count(*) FROM health_records_masked$$, '0');
-- The views cannot be written through, whatever is granted.
SELECT refused(format('DELETE FROM %I_masked', t), '55000'),
       refused(format('UPDATE %I_masked SET id = id', t), '55000')
  FROM unnest(ARRAY['students', 'emergency_contacts', 'health_records', 'allergies', 'vaccinations', 'prescriptions',
    'clinic_visits', 'mental_health_records']) AS t;
RESET SESSION AUTHORIZATION;
-- They read no PHI column, so none stands in the way of sealing, emptying or dropping one.
SELECT gives($$
    SELECT count(*) FROM pg_depend d
      JOIN pg_rewrite w ON w.oid = d.objid AND d.classid = 'pg_rewrite'::regclass
      JOIN pg_class v ON v.oid = w.ev_class AND v.relname LIKE '%\_masked'
     WHERE d.refclassid = 'pg_class'::regclass AND col_description(d.refobjid, d.refobjsubid) LIKE 'PHI:%'$$, '0');

-- 3. Append-only logs and disclosures ---------------------------------------------------------------------------------

-- As the application under ADMIN, as the owner, as a superuser, and under the replica role: UPDATE, DELETE and
-- TRUNCATE are refused, a statement that meets no row too. New rows are taken.
SET CONSTRAINTS ALL IMMEDIATE;                                      -- TRUNCATE waits for none
SELECT as_user('u1', 'ADMIN', NULL, NULL);
SET SESSION AUTHORIZATION phiseal_test_white_cross_owner;
SELECT immutable();
RESET SESSION AUTHORIZATION;
SELECT immutable();
SELECT refused(format('INSERT INTO expect.way_round VALUES (%L)', t), '23001') FROM unnest(logs()) AS t;
SET LOCAL session_replication_role = 'replica';
SELECT immutable();
SET LOCAL session_replication_role = 'origin';
SET SESSION AUTHORIZATION phiseal_test_white_cross_app;
SELECT refused(format('UPDATE %I SET created_at = now()', t), '23001'),
       refused(format('DELETE FROM %I', t), '23001'),
       refused(format('TRUNCATE %I CASCADE', t), '23001')
  FROM unnest(logs()) AS t;
SELECT refused($$DELETE FROM phi_disclosures$$, '23001');
SELECT meets($$UPDATE phi_disclosures SET retain_until = retain_until + 1$$, 1);
-- The application adds entries in its user's name, not in another's, not a trigger's, not the engine's.
SELECT meets($$INSERT INTO audit_logs (user_id, action, entity_type) VALUES (id('u1'), 'EXPORT', 'students')$$, 1);
SELECT refused($$INSERT INTO audit_logs (user_id, action, entity_type) VALUES (id('u2'), 'EXPORT', 'students')$$,
    '42501');
SELECT refused($$INSERT INTO audit_logs (action, entity_type) VALUES ('EXPORT', 'students')$$, '42501');
SELECT refused($$INSERT INTO audit_logs (user_id, action, entity_type) VALUES (id('u1'), 'DELETE', 'students')$$,
    '42501');
SELECT refused($$INSERT INTO audit_logs (user_id, action, entity_type, engine_run)
    VALUES (id('u1'), 'EXPORT', 'students', 7)$$, '42501');
SELECT refused($$INSERT INTO tamper_alerts (table_name) VALUES ('secret')$$, '42501');
-- Disclosures write their audit: names of columns, never values.
SELECT meets($$UPDATE phi_disclosures SET recipient_name = 'secret', notes = 'secret'$$, 1);
RESET SESSION AUTHORIZATION;
SELECT gives($$
    SELECT count(*) FROM phi_disclosure_audits
     WHERE action = 'UPDATE' AND changed_columns = '{recipient_name,notes}' AND actor_id = id('u1')
       AND performed_by = 'phiseal_test_white_cross_app'$$, '1');

-- 4. Audit of PHI -----------------------------------------------------------------------------------------------------

-- All 49 tables, five triggers each, which sort before those of the sealing engine.
SELECT gives($$
    SELECT concat_ws(' ', count(*), count(DISTINCT t.tgrelid), bool_and(t.tgname COLLATE "C" < '~phiseal'))
      FROM pg_trigger t WHERE t.tgname LIKE 'audit\_phi\_%'$$, '245 49 t');
SET SESSION AUTHORIZATION phiseal_test_white_cross_app;
SELECT as_user('u4', 'NURSE', 's1', NULL);
INSERT INTO allergies (id, student_id, allergy_type, severity, allergen)
    VALUES (id('61'), id('t1'), 'FOOD', 'MILD', 'secret');
UPDATE allergies SET allergen = 'secret 2', severity = 'SEVERE' WHERE id = id('61');
UPDATE allergies SET allergen = 'secret 2' WHERE id = id('61');     -- changes nothing
SELECT as_user('u1', 'ADMIN', NULL, NULL);
DELETE FROM allergies WHERE id = id('61');
RESET SESSION AUTHORIZATION;
SELECT gives($$
    SELECT string_agg(concat_ws(' ', action, changed_columns, right(user_id::text, 2), performed_by), ', '
                      ORDER BY action)
      FROM audit_logs WHERE entity_id = id('61')$$,
    'DELETE 31 phiseal_test_white_cross_app, INSERT 34 phiseal_test_white_cross_app, '
    || 'UPDATE {severity,allergen} 34 phiseal_test_white_cross_app');
-- A column that was added later is audited too.
ALTER TABLE allergies ADD COLUMN allergen_sealed bytea;
INSERT INTO allergies (id, student_id, allergy_type, severity) VALUES (id('62'), id('t1'), 'FOOD', 'MILD');
UPDATE allergies SET allergen_sealed = '\x00' WHERE id = id('62');
SELECT gives($$SELECT changed_columns FROM audit_logs WHERE entity_id = id('62') AND action = 'UPDATE'$$,
    '{allergen_sealed}');
-- A user that does not exist is none; the login still stands there.
SELECT as_user(id('ff')::text, 'ADMIN', NULL, NULL);
UPDATE allergies SET notes = 'secret' WHERE id = id('62');
SELECT gives($$SELECT concat_ws(' ', user_id IS NULL, performed_by = session_user) FROM audit_logs
    WHERE entity_id = id('62') AND changed_columns = '{notes}'$$, 't t');
-- No entry of any log holds a value.
SELECT gives($$SELECT count(*) FROM audit_logs a WHERE a.performed_by IS NOT NULL AND a::text ~ 'secret'
    AND a.action IN ('INSERT', 'UPDATE', 'DELETE', 'ENGINE')$$, '0');
SELECT gives($$SELECT count(*) FROM phi_disclosure_audits a WHERE a.performed_by IS NOT NULL AND a::text ~ 'secret'
    AND a.action <> 'secret'$$, '0');
-- A reading is written down by the application: not without a user, not of another table, not without EXECUTE.
SET SESSION AUTHORIZATION phiseal_test_white_cross_app;
SELECT refused($$SELECT record_phi_access('students', id('t1'), 'TREATMENT')$$, '42501');
RESET SESSION AUTHORIZATION;
GRANT EXECUTE ON FUNCTION record_phi_access(text, uuid, disclosure_purpose) TO phiseal_test_white_cross_app;
SET SESSION AUTHORIZATION phiseal_test_white_cross_app;
SELECT refused($$SELECT record_phi_access('students', id('t1'), 'TREATMENT')$$, '42501');
SELECT as_user('u4', 'NURSE', 's1', NULL);
SELECT refused($$SELECT record_phi_access('users', NULL, 'TREATMENT')$$, '22023');
SELECT refused($$SELECT record_phi_access('students', NULL, NULL)$$, '22004');
SELECT record_phi_access('students', id('t1'), 'TREATMENT');
RESET SESSION AUTHORIZATION;
SELECT gives($$SELECT concat_ws(' ', right(user_id::text, 2), description) FROM audit_logs WHERE action = 'READ'$$,
    '34 purpose: TREATMENT');

-- 5. The sealing engine -----------------------------------------------------------------------------------------------

-- One entry a run and table, however many statements; no other column changes, updated_at neither.
ALTER TABLE students ADD COLUMN ssn_sealed bytea;
SET LOCAL session_replication_role = 'replica';
UPDATE students SET updated_at = '2000-01-01';
SET LOCAL session_replication_role = 'origin';
SET SESSION AUTHORIZATION phiseal_test_white_cross_owner;
SELECT set_config('phiseal.engine', 'on', true), set_config('phiseal.run', '4711', true),
       set_config('app.user_id', '', true);
CREATE TEMP TABLE entries ON COMMIT DROP AS SELECT count(*) AS n FROM audit_logs;
UPDATE students SET ssn_sealed = '\x01' WHERE school_id IS NOT NULL;
UPDATE students SET ssn_sealed = '\x02';
UPDATE phi_disclosures SET follow_up_status = follow_up_status;     -- no disclosure audit either
SELECT gives($$
    SELECT string_agg(concat_ws(' ', action, entity_type, entity_id, performed_by), ', ' ORDER BY entity_type)
      FROM audit_logs WHERE engine_run = 4711$$,
    'ENGINE phi_disclosures phiseal_test_white_cross_owner, ENGINE students phiseal_test_white_cross_owner');
SELECT gives($$SELECT count(*) - (SELECT n FROM entries) FROM audit_logs$$, '2');
SELECT gives($$SELECT bool_and(updated_at = '2000-01-01' AND ssn_sealed = '\x02') FROM students$$, 'true');
-- Its INSERT and DELETE would be audited row by row, as everybody's.
INSERT INTO students (id, first_name) VALUES (id('71'), 'secret');
DELETE FROM students WHERE id = id('71');
SELECT gives($$SELECT string_agg(action, ' ' ORDER BY action) FROM audit_logs WHERE entity_id = id('71')$$,
    'DELETE INSERT');
TRUNCATE outbreak_case_clusters;
SELECT gives($$SELECT count(*) FROM audit_logs WHERE action = 'TRUNCATE' AND entity_type = 'outbreak_case_clusters'$$,
    '1');
RESET SESSION AUTHORIZATION;
-- A role that bypasses row-level security may be the engine.
SET SESSION AUTHORIZATION phiseal_test_white_cross_engine;
SELECT set_config('phiseal.run', '4712', true);
SELECT meets($$UPDATE students SET ssn_sealed = '\x03'$$, 4);
RESET SESSION AUTHORIZATION;
SELECT gives($$SELECT count(*) FROM audit_logs WHERE engine_run = 4712$$, '1');
-- The application may not, for no statement: not even where no row is met, nor through a role it is not.
SET SESSION AUTHORIZATION phiseal_test_white_cross_app;
SELECT as_user('u1', 'ADMIN', NULL, NULL);
SELECT refused(format('UPDATE %I SET deleted_at = now() WHERE false', t), '42501'),
       refused(format('DELETE FROM %I WHERE false', t), '42501'),
       refused(format('INSERT INTO %I SELECT * FROM %1$I WHERE false', t), '42501')
  FROM unnest(audit_phi_tables()) AS t;
SELECT refused($$TRUNCATE outbreak_case_clusters$$, '42501');
-- Nor through the foreign keys, whose updates run as the owner: deleting a user would null created_by.
RESET SESSION AUTHORIZATION;
SELECT set_config('phiseal.engine', '', true);
INSERT INTO users (id, email, password, first_name, last_name) VALUES (id('81'), 'y', 'secret', 'y', 'y');
UPDATE students SET created_by = id('81') WHERE id = id('t1');
SET SESSION AUTHORIZATION phiseal_test_white_cross_app;
SELECT set_config('phiseal.engine', 'on', true);
SELECT refused($$DELETE FROM users WHERE email = 'y'$$, '42501');
SELECT set_config('phiseal.engine', '', true);
SELECT meets($$DELETE FROM users WHERE email = 'y'$$, 1);
-- Nor as a superuser that has put on the application's role.
RESET SESSION AUTHORIZATION;
SET LOCAL ROLE phiseal_test_white_cross_app;
SELECT set_config('phiseal.engine', 'on', true);
SELECT refused($$UPDATE students SET grade = '6'$$, '42501');
RESET ROLE;
SELECT set_config('phiseal.engine', '', true);
SELECT gives($$SELECT changed_columns FROM audit_logs
    WHERE entity_id = id('t1') AND 'created_by' = ANY (changed_columns) ORDER BY id LIMIT 1$$, '{created_by}');

-- 6. updated_at -------------------------------------------------------------------------------------------------------

-- The trigger sets it, on every table that has it but the five logs.
UPDATE schools SET updated_at = '2000-01-01', created_at = '2000-01-01';
SELECT gives($$SELECT bool_and(updated_at = now()) FROM schools$$, 'true');
SELECT gives($$
    SELECT count(*) FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'
       AND (EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = 'updated_at_touch')
            <> (c.relname <> ALL (logs())
                AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'updated_at')))$$, '0');

-- 7. Integrity --------------------------------------------------------------------------------------------------------

-- Nothing is wrong so far, whatever the session's settings.
SET LOCAL timezone = 'Asia/Tokyo';
SET LOCAL bytea_output = 'escape';
SELECT gives($$SELECT count(*) FROM verify_integrity()$$, '0');
SELECT gives($$SELECT count(*) FROM verify_tamper_chain()$$, '0');
-- No checksum covers a PHI column, or one that sealing writes.
SELECT gives($$
    SELECT count(*) FROM unnest(integrity_tables()) AS t CROSS JOIN unnest(integrity_columns(t)) AS c
      JOIN pg_attribute a ON a.attname = c AND a.attrelid = t::regclass
     WHERE col_description(a.attrelid, a.attnum) LIKE 'PHI:%' OR c LIKE '%\_sealed' OR c LIKE '%\_bidx'$$, '0');
-- Sealing leaves checksums as they are; a change through the triggers makes them anew.
ALTER TABLE consent_signatures ADD COLUMN signer_name_sealed bytea;
SELECT set_config('phiseal.engine', 'on', true);
UPDATE consent_signatures SET signer_name_sealed = '\x01';
SELECT set_config('phiseal.engine', '', true);
UPDATE consent_signatures SET status = 'GRANTED';
SELECT gives($$SELECT count(*) FROM verify_integrity()$$, '0');
-- Changed, added and deleted past the triggers: found, an alert for each, once.
INSERT INTO consent_signatures (id, consent_form_id, student_id)
    SELECT id('91'), consent_form_id, student_id FROM consent_signatures LIMIT 1;
SET LOCAL session_replication_role = 'replica';
UPDATE consent_signatures SET status = 'DENIED' WHERE id <> id('91');
DELETE FROM consent_signatures WHERE id = id('91');
INSERT INTO consent_signatures (id, consent_form_id, student_id)
    SELECT id('92'), consent_form_id, student_id FROM consent_signatures LIMIT 1;
SET LOCAL session_replication_role = 'origin';
SELECT gives($$SELECT string_agg(finding || ' ' || is_new, ', ' ORDER BY finding) FROM verify_integrity()$$,
    'the row has no checksum true, the row was changed past its triggers true, '
    || 'the row was deleted past its triggers true');
SELECT gives($$SELECT count(*) FILTER (WHERE is_new) || ' of ' || count(*) FROM verify_integrity()$$, '0 of 3');
-- Settled: made anew, or no longer looked for.
SELECT integrity_record('consent_signatures'), integrity_record('consent_signatures', id('91'));
SELECT gives($$SELECT count(*) FROM verify_integrity()$$, '0');
-- What nobody verified is found by the next change.
SET LOCAL session_replication_role = 'replica';
UPDATE consent_signatures SET status = 'EXPIRED' WHERE id = id('92');
SET LOCAL session_replication_role = 'origin';
UPDATE consent_signatures SET status = 'WITHDRAWN' WHERE id = id('92');
SELECT gives($$SELECT description FROM tamper_alerts WHERE record_id = id('92') ORDER BY sequence DESC LIMIT 1$$,
    'the row was changed past its triggers');
-- A deletion in the open is no tampering.
DELETE FROM consent_signatures WHERE id = id('92');
SELECT gives($$SELECT count(*) FROM verify_integrity()$$, '0');
-- The chain gives each alert its place, whatever it came with.
INSERT INTO tamper_alerts (table_name, sequence, entry_hash) VALUES ('x', 99, sha256('x')), ('y', 99, sha256('x'));
SELECT gives($$SELECT bool_and(sequence = n)
    FROM (SELECT sequence, row_number() OVER (ORDER BY sequence) AS n FROM tamper_alerts) x$$, 'true');
SELECT gives($$SELECT count(*) FROM verify_tamper_chain()$$, '0');
CREATE TEMP TABLE head ON COMMIT DROP AS SELECT * FROM tamper_chain_head();
-- An owner who takes the triggers away is found out; cutting off the end only by a head noted before.
ALTER TABLE tamper_alerts DISABLE TRIGGER USER;
SAVEPOINT tampering;
UPDATE tamper_alerts SET description = 'x' WHERE sequence = 2;
SELECT gives($$SELECT string_agg(sequence || ' ' || finding, ', ') FROM verify_tamper_chain()$$,
    '2 the entry was changed');
ROLLBACK TO tampering;
DELETE FROM tamper_alerts WHERE sequence = 2;
SELECT gives($$SELECT string_agg(sequence || ' ' || finding, ', ' ORDER BY finding) FROM verify_tamper_chain()$$,
    '3 entries before it are missing, 3 it does not follow the entry before');
ROLLBACK TO tampering;
DELETE FROM tamper_alerts WHERE sequence = (SELECT sequence FROM head);
SELECT gives($$SELECT count(*) FROM verify_tamper_chain()$$, '0');
SELECT gives($$SELECT string_agg(finding, ', ')
    FROM verify_tamper_chain((SELECT sequence FROM head), (SELECT entry_hash FROM head))$$,
    'the head that was noted is not in the chain');
ROLLBACK TO tampering;

-- 8. Signing in -------------------------------------------------------------------------------------------------------

SET SESSION AUTHORIZATION phiseal_test_white_cross_app;
SELECT refused($$SELECT app_find_user('u4@example.org')$$, '42501');
RESET SESSION AUTHORIZATION;
GRANT EXECUTE ON FUNCTION app_find_user(text), app_find_session(bytea) TO phiseal_test_white_cross_app;
UPDATE users SET is_active = false WHERE email = 'u7@example.org';
SET SESSION AUTHORIZATION phiseal_test_white_cross_app;
SELECT as_user(NULL, NULL, NULL, NULL);
SELECT gives($$SELECT app_find_user('u4@example.org') = id('u4')$$, 'true');
SELECT gives($$SELECT app_find_user('u7@example.org')$$, NULL);
SELECT gives($$SELECT app_find_session(sha256('secret')) = id('u1')$$, 'true');
SELECT gives($$SELECT app_find_session(sha256('other'))$$, NULL);
-- The id alone shows the own row, and nothing else.
SELECT as_user('u4', NULL, NULL, NULL);
SELECT gives($$SELECT string_agg(email, ' ') FROM users$$, 'u4@example.org');
SELECT gives($$SELECT tables FROM seen()$$, '0');
RESET SESSION AUTHORIZATION;

SELECT 'all hold' AS outcome;
ROLLBACK;

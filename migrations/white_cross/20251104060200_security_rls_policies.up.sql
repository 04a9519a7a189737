-- 20251104060200_security_rls_policies
-- Purpose: row-level security on the 49 PHI tables, and on 14 others that hold secrets or logs: by district,
--     school and role.
-- HIPAA: access control (45 CFR 164.312(a)), minimum necessary (45 CFR 164.502(b)).
-- Depends on: all schema migrations, 060100_security_context.

-- Enabled, not forced: the owner of the tables, and with it the sealing engine, passes. The application does
-- not connect as the owner.
--
-- app_reach says which rows there are for the caller, to read and to write; the others only narrow it
-- (RESTRICTIVE): app_roles by role, app_insert, app_update and app_delete what may be done. Rows are deleted
-- by ADMIN only; the others set deleted_at.
--
-- EXISTS looks at a parent under the parent's own policies, for which the caller needs SELECT on the parent.
-- The planner then chooses between the parent's key and one hash of all visible parents, which a function
-- called for each row would forbid. (SELECT f()) runs once a query.

-- Students: of the schools in reach. Without a school, of the districts in reach.

ALTER TABLE students ENABLE ROW LEVEL SECURITY;
CREATE POLICY app_reach ON students USING (
    (SELECT app_can_see_phi())
    AND (
        school_id IN (SELECT app_school_ids())
        OR school_id IS NULL AND district_id IN (SELECT app_district_ids())
        OR (SELECT app_has_role('ADMIN'))
    )
);
CREATE POLICY app_delete ON students AS RESTRICTIVE FOR DELETE USING ((SELECT app_has_role('ADMIN')));

-- Rows that follow one other row, a student mostly. Readers and writers narrow further, where they are named.
DO $$
DECLARE
    t record;
    everybody CONSTANT text[] := NULL;
    care CONSTANT text[] := '{ADMIN,NURSE}';
    office CONSTANT text[] := '{ADMIN,DISTRICT_ADMIN,SCHOOL_ADMIN,NURSE}';
    school CONSTANT text[] := '{ADMIN,DISTRICT_ADMIN,SCHOOL_ADMIN,COUNSELOR}';
    counseling CONSTANT text[] := '{COUNSELOR}';
BEGIN
    FOR t IN
        SELECT *
          FROM (VALUES
            -- Around the student.
            ('emergency_contacts',     'students',            'student_id',            everybody,  everybody),
            ('contacts',               'students',            'student_id',            everybody,  everybody),
            ('appointments',           'students',            'student_id',            everybody,  everybody),
            ('appointment_reminders',  'appointments',        'appointment_id',        everybody,  everybody),
            ('appointment_waitlist',   'students',            'student_id',            everybody,  everybody),
            ('incident_reports',       'students',            'student_id',            everybody,  everybody),
            ('witness_statements',     'incident_reports',    'incident_report_id',    everybody,  everybody),
            ('consent_signatures',     'students',            'student_id',            everybody,  everybody),
            ('phi_disclosures',        'students',            'student_id',            everybody,  everybody),
            ('documents',              'students',            'student_id',            everybody,  everybody),
            ('follow_up_appointments', 'follow_up_actions',   'follow_up_action_id',   everybody,  everybody),
            ('academic_transcripts',   'students',            'student_id',            everybody,  school),
            -- Care.
            ('health_records',         'students',            'student_id',            everybody,  care),
            ('allergies',              'students',            'student_id',            everybody,  care),
            ('chronic_conditions',     'students',            'student_id',            everybody,  care),
            ('vaccinations',           'students',            'student_id',            everybody,  care),
            ('immunizations',          'students',            'student_id',            everybody,  care),
            ('immunization_reminders', 'students',            'student_id',            everybody,  care),
            ('screenings',             'students',            'student_id',            everybody,  care),
            ('growth_measurements',    'students',            'student_id',            everybody,  care),
            ('vital_signs',            'students',            'student_id',            everybody,  care),
            ('student_medications',    'students',            'student_id',            everybody,  care),
            ('medication_logs',        'student_medications', 'student_medication_id', everybody,  care),
            ('prescriptions',          'students',            'student_id',            everybody,  care),
            ('student_drug_allergies', 'students',            'student_id',            everybody,  care),
            ('clinic_visits',          'students',            'student_id',            everybody,  care),
            ('clinical_notes',         'students',            'student_id',            everybody,  care),
            ('lab_results',            'students',            'student_id',            everybody,  care),
            ('medical_history',        'students',            'student_id',            everybody,  care),
            ('treatment_plans',        'students',            'student_id',            everybody,  care),
            ('symptom_tracking',       'students',            'student_id',            everybody,  care),
            -- Counselors only, not even ADMIN. Nobody deletes.
            ('mental_health_records',  'students',            'student_id',            counseling, counseling),
            -- Payers and registries.
            ('medicaid_eligibility',   'students',            'student_id',            office,     office),
            ('billing_claims',         'students',            'student_id',            office,     office),
            ('registry_submissions',   'students',            'student_id',            everybody,  office),
            -- Other systems.
            ('sync_conflicts',         'sync_queue_items',    'sync_queue_item_id',    everybody,  everybody)
          ) AS v (tab, parent, parent_id, readers, writers)
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t.tab);
        EXECUTE format(
            'CREATE POLICY app_reach ON %1$I USING (EXISTS (SELECT FROM %2$I AS p WHERE p.id = %1$I.%3$I))',
            t.tab, t.parent, t.parent_id);
        IF t.readers IS NOT NULL THEN
            EXECUTE format(
                'CREATE POLICY app_roles ON %I AS RESTRICTIVE USING ((SELECT app_has_role(VARIADIC %L)))',
                t.tab, t.readers);
        END IF;
        IF t.writers IS DISTINCT FROM t.readers THEN
            EXECUTE format(
                'CREATE POLICY app_insert ON %I AS RESTRICTIVE FOR INSERT
                    WITH CHECK ((SELECT app_has_role(VARIADIC %L)))', t.tab, t.writers);
            EXECUTE format(
                'CREATE POLICY app_update ON %I AS RESTRICTIVE FOR UPDATE
                    USING ((SELECT app_has_role(VARIADIC %L)))', t.tab, t.writers);
        END IF;
        EXECUTE format(
            'CREATE POLICY app_delete ON %I AS RESTRICTIVE FOR DELETE USING ((SELECT app_has_role(''ADMIN'')))',
            t.tab);
    END LOOP;
END $$;

-- Confidential entries are for those who treat and counsel.
CREATE POLICY app_roles ON health_records AS RESTRICTIVE
    USING (NOT is_confidential OR (SELECT app_has_role('ADMIN', 'NURSE', 'COUNSELOR')));
CREATE POLICY app_roles ON clinical_notes AS RESTRICTIVE
    USING (NOT is_confidential OR (SELECT app_has_role('ADMIN', 'NURSE', 'COUNSELOR')));

-- Rows that hang on one of several others. A follow-up action of both an incident and a health record shows to
-- those who see both; a CHECK says that there is one.

ALTER TABLE follow_up_actions ENABLE ROW LEVEL SECURITY;
CREATE POLICY app_reach ON follow_up_actions USING (
    (
        incident_report_id IS NULL
        OR EXISTS (SELECT FROM incident_reports AS p WHERE p.id = follow_up_actions.incident_report_id)
    )
    AND (
        health_record_id IS NULL
        OR EXISTS (SELECT FROM health_records AS p WHERE p.id = follow_up_actions.health_record_id)
    )
    AND num_nonnulls(incident_report_id, health_record_id) > 0
);
CREATE POLICY app_delete ON follow_up_actions AS RESTRICTIVE FOR DELETE USING ((SELECT app_has_role('ADMIN')));

ALTER TABLE alert_instances ENABLE ROW LEVEL SECURITY;
CREATE POLICY app_reach ON alert_instances USING (
    (SELECT app_can_see_phi())
    AND CASE
        WHEN (SELECT app_has_role('ADMIN')) THEN true
        WHEN student_id IS NOT NULL
            THEN EXISTS (SELECT FROM students AS p WHERE p.id = alert_instances.student_id)
        WHEN school_id IS NOT NULL THEN school_id IN (SELECT app_school_ids())
        ELSE EXISTS (
            SELECT
              FROM alert_definitions AS p
             WHERE p.id = alert_instances.alert_definition_id
               AND (p.school_id IN (SELECT app_school_ids()) OR p.district_id IN (SELECT app_district_ids()))
        )
    END
);
CREATE POLICY app_delete ON alert_instances AS RESTRICTIVE FOR DELETE USING ((SELECT app_has_role('ADMIN')));

ALTER TABLE outbreak_case_clusters ENABLE ROW LEVEL SECURITY;
CREATE POLICY app_reach ON outbreak_case_clusters USING (
    (SELECT app_can_see_phi())
    AND CASE
        WHEN (SELECT app_has_role('ADMIN')) THEN true
        WHEN school_id IS NOT NULL THEN school_id IN (SELECT app_school_ids())
        ELSE EXISTS (
            SELECT
              FROM outbreak_alerts AS p
             WHERE p.id = outbreak_case_clusters.outbreak_alert_id
               AND (p.school_id IN (SELECT app_school_ids()) OR p.district_id IN (SELECT app_district_ids()))
        )
    END
);
CREATE POLICY app_insert ON outbreak_case_clusters AS RESTRICTIVE FOR INSERT
    WITH CHECK ((SELECT app_has_role('ADMIN', 'NURSE')));
CREATE POLICY app_update ON outbreak_case_clusters AS RESTRICTIVE FOR UPDATE
    USING ((SELECT app_has_role('ADMIN', 'NURSE')));
CREATE POLICY app_delete ON outbreak_case_clusters AS RESTRICTIVE FOR DELETE
    USING ((SELECT app_has_role('ADMIN')));

-- Addressed to a user: who was addressed reads, who sees what it is about writes.

ALTER TABLE shared_documents ENABLE ROW LEVEL SECURITY;
CREATE POLICY app_reach ON shared_documents USING (
    (SELECT app_can_see_phi())
    AND (
        recipient_id = (SELECT app_user_id())
        OR EXISTS (SELECT FROM documents AS p WHERE p.id = shared_documents.document_id)
    )
);
CREATE POLICY app_insert ON shared_documents AS RESTRICTIVE FOR INSERT
    WITH CHECK (EXISTS (SELECT FROM documents AS p WHERE p.id = shared_documents.document_id));
CREATE POLICY app_update ON shared_documents AS RESTRICTIVE FOR UPDATE
    USING (EXISTS (SELECT FROM documents AS p WHERE p.id = shared_documents.document_id));
CREATE POLICY app_delete ON shared_documents AS RESTRICTIVE FOR DELETE USING ((SELECT app_has_role('ADMIN')));

ALTER TABLE alert_delivery_log ENABLE ROW LEVEL SECURITY;
CREATE POLICY app_reach ON alert_delivery_log USING (
    (SELECT app_can_see_phi())
    AND (
        user_id = (SELECT app_user_id())
        OR EXISTS (SELECT FROM alert_instances AS p WHERE p.id = alert_delivery_log.alert_instance_id)
    )
);
CREATE POLICY app_insert ON alert_delivery_log AS RESTRICTIVE FOR INSERT
    WITH CHECK (EXISTS (SELECT FROM alert_instances AS p WHERE p.id = alert_delivery_log.alert_instance_id));
CREATE POLICY app_update ON alert_delivery_log AS RESTRICTIVE FOR UPDATE
    USING (EXISTS (SELECT FROM alert_instances AS p WHERE p.id = alert_delivery_log.alert_instance_id));
CREATE POLICY app_delete ON alert_delivery_log AS RESTRICTIVE FOR DELETE USING ((SELECT app_has_role('ADMIN')));

ALTER TABLE push_notifications ENABLE ROW LEVEL SECURITY;
CREATE POLICY app_reach ON push_notifications USING (
    (SELECT app_can_see_phi())
    AND (
        user_id = (SELECT app_user_id())
        OR EXISTS (SELECT FROM users AS p WHERE p.id = push_notifications.user_id)
    )
);
-- Colleagues send each other notifications and do not read each other's.
CREATE POLICY app_select ON push_notifications AS RESTRICTIVE FOR SELECT
    USING (user_id = (SELECT app_user_id()) OR (SELECT app_has_role('ADMIN')));
CREATE POLICY app_update ON push_notifications AS RESTRICTIVE FOR UPDATE
    USING (user_id = (SELECT app_user_id()) OR (SELECT app_has_role('ADMIN')));
CREATE POLICY app_delete ON push_notifications AS RESTRICTIVE FOR DELETE USING ((SELECT app_has_role('ADMIN')));

-- Messages: who takes part in the conversation reads, who sends writes.

ALTER TABLE messages ENABLE ROW LEVEL SECURITY;
CREATE POLICY app_reach ON messages USING (
    (SELECT app_can_see_phi())
    AND (conversation_id IN (SELECT app_conversation_ids()) OR (SELECT app_has_role('ADMIN')))
);
CREATE POLICY app_insert ON messages AS RESTRICTIVE FOR INSERT
    WITH CHECK (sender_id = (SELECT app_user_id()) OR (SELECT app_has_role('ADMIN')));
CREATE POLICY app_update ON messages AS RESTRICTIVE FOR UPDATE
    USING (sender_id = (SELECT app_user_id()) OR (SELECT app_has_role('ADMIN')));
CREATE POLICY app_delete ON messages AS RESTRICTIVE FOR DELETE USING ((SELECT app_has_role('ADMIN')));

ALTER TABLE message_delivery ENABLE ROW LEVEL SECURITY;
CREATE POLICY app_reach ON message_delivery USING (
    (SELECT app_can_see_phi())
    AND (
        recipient_id = (SELECT app_user_id())
        OR EXISTS (
            SELECT
              FROM messages AS p
             WHERE p.id = message_delivery.message_id AND p.sender_id = (SELECT app_user_id())
        )
        OR (SELECT app_has_role('ADMIN'))
    )
);
CREATE POLICY app_insert ON message_delivery AS RESTRICTIVE FOR INSERT WITH CHECK (
    EXISTS (
        SELECT
          FROM messages AS p
         WHERE p.id = message_delivery.message_id AND p.sender_id = (SELECT app_user_id())
    )
    OR (SELECT app_has_role('ADMIN'))
);
CREATE POLICY app_delete ON message_delivery AS RESTRICTIVE FOR DELETE USING ((SELECT app_has_role('ADMIN')));

-- Who joins a conversation reads it: a participant takes others in, and the first joins a new one.
ALTER TABLE conversation_participants ENABLE ROW LEVEL SECURITY;
CREATE POLICY app_reach ON conversation_participants USING (
    conversation_id IN (SELECT app_conversation_ids())
    OR user_id = (SELECT app_user_id()) AND app_conversation_is_new(conversation_id)
    OR (SELECT app_has_role('ADMIN'))
);
CREATE POLICY app_insert ON conversation_participants AS RESTRICTIVE FOR INSERT
    WITH CHECK ((SELECT app_can_see_phi()));
CREATE POLICY app_update ON conversation_participants AS RESTRICTIVE FOR UPDATE
    USING (user_id = (SELECT app_user_id()) OR (SELECT app_has_role('ADMIN')));
CREATE POLICY app_delete ON conversation_participants AS RESTRICTIVE FOR DELETE
    USING (user_id = (SELECT app_user_id()) OR (SELECT app_has_role('ADMIN')));

-- Reports are whose request they are.

ALTER TABLE report_instances ENABLE ROW LEVEL SECURITY;
CREATE POLICY app_reach ON report_instances USING (
    (SELECT app_can_see_phi())
    AND (requested_by = (SELECT app_user_id()) OR (SELECT app_has_role('ADMIN')))
);
CREATE POLICY app_delete ON report_instances AS RESTRICTIVE FOR DELETE USING ((SELECT app_has_role('ADMIN')));

-- Connections hold credentials: for administrators of the place. What passes through one is for them, and for
-- the user whose device it is.

ALTER TABLE integration_configs ENABLE ROW LEVEL SECURITY;
CREATE POLICY app_reach ON integration_configs USING (
    (SELECT app_has_role('ADMIN', 'DISTRICT_ADMIN', 'SCHOOL_ADMIN'))
    AND (
        school_id IN (SELECT app_school_ids())
        OR school_id IS NULL AND district_id IN (SELECT app_district_ids())
        OR (SELECT app_has_role('ADMIN'))
    )
);

ALTER TABLE sis_sync_configs ENABLE ROW LEVEL SECURITY;
CREATE POLICY app_reach ON sis_sync_configs USING (
    (SELECT app_has_role('ADMIN', 'DISTRICT_ADMIN', 'SCHOOL_ADMIN'))
    AND (
        school_id IN (SELECT app_school_ids())
        OR school_id IS NULL AND district_id IN (SELECT app_district_ids())
        OR (SELECT app_has_role('ADMIN'))
    )
);

ALTER TABLE registry_connections ENABLE ROW LEVEL SECURITY;
CREATE POLICY app_reach ON registry_connections USING (district_id IN (SELECT app_district_ids()));

ALTER TABLE webhooks ENABLE ROW LEVEL SECURITY;
CREATE POLICY app_reach ON webhooks USING (district_id IN (SELECT app_district_ids()));

ALTER TABLE sync_queue_items ENABLE ROW LEVEL SECURITY;
CREATE POLICY app_reach ON sync_queue_items USING (
    (SELECT app_can_see_phi())
    AND EXISTS (
        SELECT
          FROM sync_sessions AS p
         WHERE p.id = sync_queue_items.sync_session_id
           AND (
                p.user_id = (SELECT app_user_id())
                OR EXISTS (SELECT FROM integration_configs AS c WHERE c.id = p.integration_config_id)
           )
    )
);
CREATE POLICY app_delete ON sync_queue_items AS RESTRICTIVE FOR DELETE USING ((SELECT app_has_role('ADMIN')));

ALTER TABLE sis_sync_errors ENABLE ROW LEVEL SECURITY;
CREATE POLICY app_reach ON sis_sync_errors USING (
    EXISTS (
        SELECT
          FROM sis_sync_jobs AS p
          JOIN sis_sync_configs AS c ON c.id = p.sis_sync_config_id
         WHERE p.id = sis_sync_errors.sis_sync_job_id
    )
);
CREATE POLICY app_delete ON sis_sync_errors AS RESTRICTIVE FOR DELETE USING ((SELECT app_has_role('ADMIN')));

ALTER TABLE sis_sync_conflicts ENABLE ROW LEVEL SECURITY;
CREATE POLICY app_reach ON sis_sync_conflicts USING (
    EXISTS (
        SELECT
          FROM sis_sync_jobs AS p
          JOIN sis_sync_configs AS c ON c.id = p.sis_sync_config_id
         WHERE p.id = sis_sync_conflicts.sis_sync_job_id
    )
);
CREATE POLICY app_delete ON sis_sync_conflicts AS RESTRICTIVE FOR DELETE USING ((SELECT app_has_role('ADMIN')));

-- Users: oneself, and the staff in reach. Administrators make and change users, none above their own rank;
-- everybody changes the own row, but not the own rank or place.

ALTER TABLE users ENABLE ROW LEVEL SECURITY;
CREATE POLICY app_reach ON users USING (
    id = (SELECT app_user_id())
    OR (SELECT app_can_see_phi())
        AND (
            school_id IN (SELECT app_school_ids())
            OR district_id IN (SELECT app_district_ids())
            OR (SELECT app_has_role('ADMIN'))
        )
);
CREATE POLICY app_insert ON users AS RESTRICTIVE FOR INSERT WITH CHECK (
    CASE role
        WHEN 'ADMIN' THEN (SELECT app_has_role('ADMIN'))
        WHEN 'DISTRICT_ADMIN' THEN (SELECT app_has_role('ADMIN', 'DISTRICT_ADMIN'))
        ELSE (SELECT app_has_role('ADMIN', 'DISTRICT_ADMIN', 'SCHOOL_ADMIN'))
    END
);
CREATE POLICY app_update ON users AS RESTRICTIVE FOR UPDATE
    USING (
        id = (SELECT app_user_id())
        OR CASE role
            WHEN 'ADMIN' THEN (SELECT app_has_role('ADMIN'))
            WHEN 'DISTRICT_ADMIN' THEN (SELECT app_has_role('ADMIN', 'DISTRICT_ADMIN'))
            ELSE (SELECT app_has_role('ADMIN', 'DISTRICT_ADMIN', 'SCHOOL_ADMIN'))
        END
    )
    WITH CHECK (
        CASE role
            WHEN 'ADMIN' THEN (SELECT app_has_role('ADMIN'))
            WHEN 'DISTRICT_ADMIN' THEN (SELECT app_has_role('ADMIN', 'DISTRICT_ADMIN'))
            ELSE (SELECT app_has_role('ADMIN', 'DISTRICT_ADMIN', 'SCHOOL_ADMIN'))
        END
        OR id = (SELECT app_user_id())
            AND role::text = (SELECT app_user_role())
            AND (school_id IS NULL OR school_id = (SELECT app_school_id()))
            AND (district_id IS NULL OR district_id = (SELECT app_district_id()))
    );
CREATE POLICY app_delete ON users AS RESTRICTIVE FOR DELETE USING ((SELECT app_has_role('ADMIN')));

ALTER TABLE sessions ENABLE ROW LEVEL SECURITY;
CREATE POLICY app_reach ON sessions
    USING (user_id = (SELECT app_user_id()) OR (SELECT app_has_role('ADMIN')));
CREATE POLICY app_insert ON sessions AS RESTRICTIVE FOR INSERT WITH CHECK (user_id = (SELECT app_user_id()));

ALTER TABLE device_tokens ENABLE ROW LEVEL SECURITY;
CREATE POLICY app_reach ON device_tokens
    USING (user_id = (SELECT app_user_id()) OR (SELECT app_has_role('ADMIN')));
CREATE POLICY app_insert ON device_tokens AS RESTRICTIVE FOR INSERT WITH CHECK (user_id = (SELECT app_user_id()));

-- Logs. The application adds entries of its own; those of triggers and functions are theirs.

ALTER TABLE audit_logs ENABLE ROW LEVEL SECURITY;
CREATE POLICY app_select ON audit_logs FOR SELECT USING (
    user_id = (SELECT app_user_id())
    OR (SELECT app_has_role('DISTRICT_ADMIN', 'SCHOOL_ADMIN'))
        AND EXISTS (SELECT FROM users AS p WHERE p.id = audit_logs.user_id)
    OR (SELECT app_has_role('ADMIN'))
);
CREATE POLICY app_insert ON audit_logs FOR INSERT WITH CHECK (
    user_id = (SELECT app_user_id())
    AND engine_run IS NULL
    AND action NOT IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'ENGINE', 'READ', 'CHECKSUM', 'CHECKSUM_GONE')
);

ALTER TABLE phi_disclosure_audits ENABLE ROW LEVEL SECURITY;
CREATE POLICY app_select ON phi_disclosure_audits FOR SELECT
    USING (EXISTS (SELECT FROM phi_disclosures AS p WHERE p.id = phi_disclosure_audits.phi_disclosure_id));

-- Who opens a share from outside is no user.
ALTER TABLE document_access_log ENABLE ROW LEVEL SECURITY;
CREATE POLICY app_select ON document_access_log FOR SELECT USING (
    user_id = (SELECT app_user_id())
    OR EXISTS (SELECT FROM shared_documents AS p WHERE p.id = document_access_log.shared_document_id)
);
CREATE POLICY app_insert ON document_access_log FOR INSERT
    WITH CHECK (user_id IS NOT DISTINCT FROM (SELECT app_user_id()));

ALTER TABLE configuration_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY app_select ON configuration_history FOR SELECT
    USING (changed_by = (SELECT app_user_id()) OR (SELECT app_has_role('ADMIN')));
CREATE POLICY app_insert ON configuration_history FOR INSERT WITH CHECK (changed_by = (SELECT app_user_id()));

ALTER TABLE data_integrity_checksums ENABLE ROW LEVEL SECURITY;
CREATE POLICY app_select ON data_integrity_checksums FOR SELECT USING ((SELECT app_has_role('ADMIN')));

ALTER TABLE tamper_alerts ENABLE ROW LEVEL SECURITY;
CREATE POLICY app_select ON tamper_alerts FOR SELECT USING ((SELECT app_has_role('ADMIN')));

-- 20240117101500 role_based_access
-- Purpose: row-level security. A patient sees their own rows, a provider those of their patients, an
--   administrator all.
-- HIPAA: access control, minimum necessary (45 CFR 164.312(a)(1), 164.502(b)). A session that has not
--   said who it is, or says a role that is not the user's, sees nothing.
-- Depends on: the tables, 20240115143000 to 20240117083000

BEGIN;

-- Who the session works for: SET LOCAL app.user_id = '…', app.user_role = '…'.
CREATE FUNCTION webqx_user_id() RETURNS integer
    LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT CASE WHEN current_setting('app.user_id', true) ~ '^[0-9]{1,10}$' THEN
        CASE WHEN current_setting('app.user_id', true)::bigint <= 2147483647
        THEN current_setting('app.user_id', true)::integer END
    END
$$;

-- The role that the session says, if the user has it and is active.
CREATE FUNCTION webqx_role() RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
    SELECT u.role FROM users u
    WHERE u.id = webqx_user_id() AND u.is_active AND u.role = current_setting('app.user_role', true)
$$;

CREATE FUNCTION webqx_patient_id() RETURNS integer
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
    SELECT p.id FROM patients p WHERE p.user_id = webqx_user_id() AND webqx_role() = 'patient'
$$;

CREATE FUNCTION webqx_provider_id() RETURNS integer
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
    SELECT p.id FROM providers p WHERE p.user_id = webqx_user_id() AND webqx_role() = 'provider'
$$;

-- The patients of the provider: by an appointment that was not cancelled, a record or a prescription.
-- The first link is made by the patient or an administrator: the policies below let no provider make it.
CREATE FUNCTION webqx_own_patients() RETURNS SETOF integer
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
    SELECT a.patient_id FROM appointments a
    WHERE a.provider_id = (SELECT webqx_provider_id()) AND a.status <> 'cancelled'
    UNION
    SELECT m.patient_id FROM medical_records m WHERE m.provider_id = (SELECT webqx_provider_id())
    UNION
    SELECT r.patient_id FROM prescriptions r WHERE r.provider_id = (SELECT webqx_provider_id())
$$;

-- Not FORCE: the owner, who also seals, sees all rows. Applications use a role that owns nothing.
ALTER TABLE users ENABLE ROW LEVEL SECURITY;
ALTER TABLE user_audit_log ENABLE ROW LEVEL SECURITY;
ALTER TABLE patients ENABLE ROW LEVEL SECURITY;
ALTER TABLE providers ENABLE ROW LEVEL SECURITY;
ALTER TABLE appointments ENABLE ROW LEVEL SECURITY;
ALTER TABLE medical_records ENABLE ROW LEVEL SECURITY;
ALTER TABLE prescriptions ENABLE ROW LEVEL SECURITY;
ALTER TABLE insurance_info ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_logs ENABLE ROW LEVEL SECURITY;
ALTER TABLE consent_records ENABLE ROW LEVEL SECURITY;

-- Functions stand in subqueries: they are called once a statement, not once a row.
CREATE POLICY users_admin ON users
    USING ((SELECT webqx_role()) = 'admin');
CREATE POLICY users_self ON users FOR SELECT
    USING (id = (SELECT webqx_user_id()) AND (SELECT webqx_role()) IS NOT NULL);
-- Nobody gives themselves another role.
CREATE POLICY users_self_update ON users FOR UPDATE
    USING (id = (SELECT webqx_user_id()) AND (SELECT webqx_role()) IS NOT NULL)
    WITH CHECK (id = (SELECT webqx_user_id()) AND role = (SELECT webqx_role()));

CREATE POLICY patients_admin ON patients
    USING ((SELECT webqx_role()) = 'admin');
CREATE POLICY patients_patient ON patients FOR SELECT
    USING (id = (SELECT webqx_patient_id()));
CREATE POLICY patients_provider ON patients FOR SELECT
    USING (id IN (SELECT webqx_own_patients()));

CREATE POLICY providers_admin ON providers
    USING ((SELECT webqx_role()) = 'admin');
CREATE POLICY providers_read ON providers FOR SELECT
    USING ((SELECT webqx_role()) IN ('patient', 'provider'));

CREATE POLICY appointments_admin ON appointments
    USING ((SELECT webqx_role()) = 'admin');
CREATE POLICY appointments_patient ON appointments FOR SELECT
    USING (patient_id = (SELECT webqx_patient_id()));
CREATE POLICY appointments_patient_request ON appointments FOR INSERT
    WITH CHECK (patient_id = (SELECT webqx_patient_id()) AND status = 'requested');
-- What is over stays as it is.
CREATE POLICY appointments_patient_cancel ON appointments FOR UPDATE
    USING (patient_id = (SELECT webqx_patient_id()) AND status IN ('requested', 'scheduled'))
    WITH CHECK (patient_id = (SELECT webqx_patient_id()) AND status = 'cancelled');
CREATE POLICY appointments_provider ON appointments FOR SELECT
    USING (provider_id = (SELECT webqx_provider_id()) OR patient_id IN (SELECT webqx_own_patients()));
CREATE POLICY appointments_provider_insert ON appointments FOR INSERT
    WITH CHECK (provider_id = (SELECT webqx_provider_id()) AND patient_id IN (SELECT webqx_own_patients()));
CREATE POLICY appointments_provider_update ON appointments FOR UPDATE
    USING (provider_id = (SELECT webqx_provider_id()) AND status <> 'cancelled')
    WITH CHECK (provider_id = (SELECT webqx_provider_id()) AND patient_id IN (SELECT webqx_own_patients()));

CREATE POLICY medical_records_admin ON medical_records
    USING ((SELECT webqx_role()) = 'admin');
CREATE POLICY medical_records_patient ON medical_records FOR SELECT
    USING (patient_id = (SELECT webqx_patient_id()));
CREATE POLICY medical_records_provider ON medical_records FOR SELECT
    USING (patient_id IN (SELECT webqx_own_patients()));
CREATE POLICY medical_records_provider_insert ON medical_records FOR INSERT
    WITH CHECK (provider_id = (SELECT webqx_provider_id()) AND patient_id IN (SELECT webqx_own_patients()));
CREATE POLICY medical_records_provider_update ON medical_records FOR UPDATE
    USING (provider_id = (SELECT webqx_provider_id()))
    WITH CHECK (provider_id = (SELECT webqx_provider_id()) AND patient_id IN (SELECT webqx_own_patients()));

CREATE POLICY prescriptions_admin ON prescriptions
    USING ((SELECT webqx_role()) = 'admin');
CREATE POLICY prescriptions_patient ON prescriptions FOR SELECT
    USING (patient_id = (SELECT webqx_patient_id()));
CREATE POLICY prescriptions_provider ON prescriptions FOR SELECT
    USING (patient_id IN (SELECT webqx_own_patients()));
CREATE POLICY prescriptions_provider_insert ON prescriptions FOR INSERT
    WITH CHECK (provider_id = (SELECT webqx_provider_id()) AND patient_id IN (SELECT webqx_own_patients()));
CREATE POLICY prescriptions_provider_update ON prescriptions FOR UPDATE
    USING (provider_id = (SELECT webqx_provider_id()))
    WITH CHECK (provider_id = (SELECT webqx_provider_id()) AND patient_id IN (SELECT webqx_own_patients()));

CREATE POLICY insurance_info_admin ON insurance_info
    USING ((SELECT webqx_role()) = 'admin');
CREATE POLICY insurance_info_patient ON insurance_info
    USING (patient_id = (SELECT webqx_patient_id()));
CREATE POLICY insurance_info_provider ON insurance_info FOR SELECT
    USING (patient_id IN (SELECT webqx_own_patients()));

CREATE POLICY consent_records_admin ON consent_records
    USING ((SELECT webqx_role()) = 'admin');
CREATE POLICY consent_records_patient ON consent_records FOR SELECT
    USING (patient_id = (SELECT webqx_patient_id()));
CREATE POLICY consent_records_patient_grant ON consent_records FOR INSERT
    WITH CHECK (patient_id = (SELECT webqx_patient_id()));
CREATE POLICY consent_records_patient_withdraw ON consent_records FOR UPDATE
    USING (patient_id = (SELECT webqx_patient_id()) AND withdrawn_at IS NULL)
    WITH CHECK (patient_id = (SELECT webqx_patient_id()) AND withdrawn_at IS NOT NULL);
CREATE POLICY consent_records_provider ON consent_records FOR SELECT
    USING (patient_id IN (SELECT webqx_own_patients()));

-- Everybody reads what is written about themselves, and writes under their own name.
CREATE POLICY user_audit_log_admin ON user_audit_log FOR SELECT
    USING ((SELECT webqx_role()) = 'admin');
CREATE POLICY user_audit_log_self ON user_audit_log FOR SELECT
    USING (user_id = (SELECT webqx_user_id()) AND (SELECT webqx_role()) IS NOT NULL);
CREATE POLICY user_audit_log_insert ON user_audit_log FOR INSERT
    WITH CHECK (changed_by = (SELECT webqx_user_id()) AND (SELECT webqx_role()) IS NOT NULL);
CREATE POLICY audit_logs_admin ON audit_logs FOR SELECT
    USING ((SELECT webqx_role()) = 'admin');
CREATE POLICY audit_logs_self ON audit_logs FOR SELECT
    USING (user_id = (SELECT webqx_user_id()) AND (SELECT webqx_role()) IS NOT NULL);
CREATE POLICY audit_logs_insert ON audit_logs FOR INSERT
    WITH CHECK (user_id = (SELECT webqx_user_id()) AND (SELECT webqx_role()) IS NOT NULL);

COMMIT;

-- 20240117101500 role_based_access, undone

BEGIN;

DROP POLICY audit_logs_insert ON audit_logs;
DROP POLICY audit_logs_self ON audit_logs;
DROP POLICY audit_logs_admin ON audit_logs;
DROP POLICY user_audit_log_insert ON user_audit_log;
DROP POLICY user_audit_log_self ON user_audit_log;
DROP POLICY user_audit_log_admin ON user_audit_log;
DROP POLICY consent_records_provider ON consent_records;
DROP POLICY consent_records_patient_withdraw ON consent_records;
DROP POLICY consent_records_patient_grant ON consent_records;
DROP POLICY consent_records_patient ON consent_records;
DROP POLICY consent_records_admin ON consent_records;
DROP POLICY insurance_info_provider ON insurance_info;
DROP POLICY insurance_info_patient ON insurance_info;
DROP POLICY insurance_info_admin ON insurance_info;
DROP POLICY prescriptions_provider_update ON prescriptions;
DROP POLICY prescriptions_provider_insert ON prescriptions;
DROP POLICY prescriptions_provider ON prescriptions;
DROP POLICY prescriptions_patient ON prescriptions;
DROP POLICY prescriptions_admin ON prescriptions;
DROP POLICY medical_records_provider_update ON medical_records;
DROP POLICY medical_records_provider_insert ON medical_records;
DROP POLICY medical_records_provider ON medical_records;
DROP POLICY medical_records_patient ON medical_records;
DROP POLICY medical_records_admin ON medical_records;
DROP POLICY appointments_provider_update ON appointments;
DROP POLICY appointments_provider_insert ON appointments;
DROP POLICY appointments_provider ON appointments;
DROP POLICY appointments_patient_cancel ON appointments;
DROP POLICY appointments_patient_request ON appointments;
DROP POLICY appointments_patient ON appointments;
DROP POLICY appointments_admin ON appointments;
DROP POLICY providers_read ON providers;
DROP POLICY providers_admin ON providers;
DROP POLICY patients_provider ON patients;
DROP POLICY patients_patient ON patients;
DROP POLICY patients_admin ON patients;
DROP POLICY users_self_update ON users;
DROP POLICY users_self ON users;
DROP POLICY users_admin ON users;

ALTER TABLE consent_records DISABLE ROW LEVEL SECURITY;
ALTER TABLE audit_logs DISABLE ROW LEVEL SECURITY;
ALTER TABLE insurance_info DISABLE ROW LEVEL SECURITY;
ALTER TABLE prescriptions DISABLE ROW LEVEL SECURITY;
ALTER TABLE medical_records DISABLE ROW LEVEL SECURITY;
ALTER TABLE appointments DISABLE ROW LEVEL SECURITY;
ALTER TABLE providers DISABLE ROW LEVEL SECURITY;
ALTER TABLE patients DISABLE ROW LEVEL SECURITY;
ALTER TABLE user_audit_log DISABLE ROW LEVEL SECURITY;
ALTER TABLE users DISABLE ROW LEVEL SECURITY;

DROP FUNCTION webqx_own_patients();
DROP FUNCTION webqx_provider_id();
DROP FUNCTION webqx_patient_id();
DROP FUNCTION webqx_role();
DROP FUNCTION webqx_user_id();

COMMIT;

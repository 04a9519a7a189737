-- 20251104030300_indexes_performance
-- Purpose: 50 indexes in ten groups, for the queries the platform makes most.
-- HIPAA: two indexes hold the students' names in the clear and lose their use when the names are
--     sealed (docs/schemas.md).
-- Depends on: all constraint migrations, whose unique keys serve as indexes.

-- Each statement runs by itself, outside a transaction, beside reads and writes, and may be run again.

-- 1. Students: 7. The full-text index and the one by name are over PHI in the clear.
CREATE INDEX CONCURRENTLY IF NOT EXISTS students_first_name_last_name_fts_idx
    ON students USING gin (to_tsvector('simple', coalesce(first_name, '') || ' ' || coalesce(last_name, '')));
CREATE INDEX CONCURRENTLY IF NOT EXISTS students_school_id_grade_active_idx
    ON students (school_id, grade) WHERE is_active;
CREATE INDEX CONCURRENTLY IF NOT EXISTS students_nurse_id_is_active_idx
    ON students (nurse_id, is_active);
CREATE INDEX CONCURRENTLY IF NOT EXISTS students_school_id_last_name_first_name_idx
    ON students (school_id, last_name, first_name);
CREATE INDEX CONCURRENTLY IF NOT EXISTS students_grade_is_active_idx
    ON students (grade, is_active);
CREATE INDEX CONCURRENTLY IF NOT EXISTS students_district_id_school_id_idx
    ON students (district_id, school_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS students_school_id_active_idx
    ON students (school_id) WHERE is_active AND deleted_at IS NULL;

-- 2. Users: 4
CREATE INDEX CONCURRENTLY IF NOT EXISTS users_first_name_last_name_email_fts_idx
    ON users USING gin (to_tsvector('simple', first_name || ' ' || last_name || ' ' || email));
CREATE INDEX CONCURRENTLY IF NOT EXISTS users_role_is_active_idx
    ON users (role, is_active);
CREATE INDEX CONCURRENTLY IF NOT EXISTS users_school_id_role_active_idx
    ON users (school_id, role) WHERE is_active;
CREATE INDEX CONCURRENTLY IF NOT EXISTS users_district_id_role_active_idx
    ON users (district_id, role) WHERE is_active;

-- 3. Medication: 8
CREATE INDEX CONCURRENTLY IF NOT EXISTS medications_name_idx
    ON medications (name);
CREATE INDEX CONCURRENTLY IF NOT EXISTS medications_stock_quantity_low_idx
    ON medications (stock_quantity) WHERE stock_quantity <= reorder_level;
CREATE INDEX CONCURRENTLY IF NOT EXISTS medications_expires_on_active_idx
    ON medications (expires_on) WHERE is_active;
CREATE INDEX CONCURRENTLY IF NOT EXISTS medications_id_controlled_idx
    ON medications (id) WHERE is_controlled;
CREATE INDEX CONCURRENTLY IF NOT EXISTS student_medications_student_id_is_active_idx
    ON student_medications (student_id, is_active);
CREATE INDEX CONCURRENTLY IF NOT EXISTS student_medications_starts_on_ends_on_active_idx
    ON student_medications (starts_on, ends_on) WHERE is_active;
CREATE INDEX CONCURRENTLY IF NOT EXISTS medication_logs_student_medication_id_administered_at_idx
    ON medication_logs (student_medication_id, administered_at);
CREATE INDEX CONCURRENTLY IF NOT EXISTS medication_logs_administered_by_administered_at_idx
    ON medication_logs (administered_by, administered_at);

-- 4. Health records: 5
CREATE INDEX CONCURRENTLY IF NOT EXISTS health_records_student_id_record_date_idx
    ON health_records (student_id, record_date);
CREATE INDEX CONCURRENTLY IF NOT EXISTS health_records_student_id_record_type_idx
    ON health_records (student_id, record_type);
CREATE INDEX CONCURRENTLY IF NOT EXISTS health_records_student_id_confidential_idx
    ON health_records (student_id) WHERE is_confidential;
CREATE INDEX CONCURRENTLY IF NOT EXISTS health_records_provider_npi_idx
    ON health_records (provider_npi) WHERE provider_npi IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS health_records_follow_up_date_open_idx
    ON health_records (follow_up_date) WHERE follow_up_required AND NOT follow_up_completed;

-- 5. Appointments: 3
CREATE INDEX CONCURRENTLY IF NOT EXISTS appointments_nurse_id_scheduled_at_open_idx
    ON appointments (nurse_id, scheduled_at) WHERE status IN ('SCHEDULED', 'IN_PROGRESS');
CREATE INDEX CONCURRENTLY IF NOT EXISTS appointments_scheduled_at_scheduled_idx
    ON appointments (scheduled_at) WHERE status = 'SCHEDULED';
CREATE INDEX CONCURRENTLY IF NOT EXISTS appointments_student_id_scheduled_at_idx
    ON appointments (student_id, scheduled_at);

-- 6. Incidents: 4
CREATE INDEX CONCURRENTLY IF NOT EXISTS incident_reports_occurred_at_critical_idx
    ON incident_reports (occurred_at) WHERE severity = 'CRITICAL';
CREATE INDEX CONCURRENTLY IF NOT EXISTS incident_reports_incident_type_severity_idx
    ON incident_reports (incident_type, severity);
CREATE INDEX CONCURRENTLY IF NOT EXISTS incident_reports_student_id_occurred_at_idx
    ON incident_reports (student_id, occurred_at);
CREATE INDEX CONCURRENTLY IF NOT EXISTS incident_reports_reported_by_occurred_at_idx
    ON incident_reports (reported_by, occurred_at);

-- 7. Emergency contacts: 2
CREATE INDEX CONCURRENTLY IF NOT EXISTS emergency_contacts_student_id_priority_primary_idx
    ON emergency_contacts (student_id, priority) WHERE is_primary;
CREATE INDEX CONCURRENTLY IF NOT EXISTS emergency_contacts_student_id_active_idx
    ON emergency_contacts (student_id) WHERE is_active;

-- 8. Audit log: 4
CREATE INDEX CONCURRENTLY IF NOT EXISTS audit_logs_user_id_created_at_idx
    ON audit_logs (user_id, created_at);
CREATE INDEX CONCURRENTLY IF NOT EXISTS audit_logs_entity_type_entity_id_created_at_idx
    ON audit_logs (entity_type, entity_id, created_at);
CREATE INDEX CONCURRENTLY IF NOT EXISTS audit_logs_action_created_at_idx
    ON audit_logs (action, created_at);
CREATE INDEX CONCURRENTLY IF NOT EXISTS audit_logs_created_at_export_idx
    ON audit_logs (created_at) WHERE action = 'EXPORT';

-- 9. Vaccinations: 3
CREATE INDEX CONCURRENTLY IF NOT EXISTS vaccinations_compliance_status_idx
    ON vaccinations (compliance_status);
CREATE INDEX CONCURRENTLY IF NOT EXISTS vaccinations_next_due_on_idx
    ON vaccinations (next_due_on) WHERE next_due_on IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS vaccinations_student_id_administered_on_idx
    ON vaccinations (student_id, administered_on);

-- 10. Messages, inventory, compliance, sessions: 10
CREATE INDEX CONCURRENTLY IF NOT EXISTS messages_conversation_id_created_at_idx
    ON messages (conversation_id, created_at);
CREATE INDEX CONCURRENTLY IF NOT EXISTS messages_sender_id_created_at_idx
    ON messages (sender_id, created_at);
CREATE INDEX CONCURRENTLY IF NOT EXISTS message_delivery_recipient_id_unread_idx
    ON message_delivery (recipient_id) WHERE read_at IS NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS inventory_items_quantity_low_idx
    ON inventory_items (quantity) WHERE quantity <= reorder_level;
CREATE INDEX CONCURRENTLY IF NOT EXISTS inventory_items_school_id_name_idx
    ON inventory_items (school_id, name);
CREATE INDEX CONCURRENTLY IF NOT EXISTS inventory_transactions_inventory_item_id_created_at_idx
    ON inventory_transactions (inventory_item_id, created_at);
CREATE INDEX CONCURRENTLY IF NOT EXISTS compliance_reports_status_due_on_idx
    ON compliance_reports (status, due_on);
CREATE INDEX CONCURRENTLY IF NOT EXISTS compliance_violations_status_open_idx
    ON compliance_violations (status) WHERE status IN ('OPEN', 'IN_PROGRESS');
CREATE INDEX CONCURRENTLY IF NOT EXISTS sessions_user_id_live_idx
    ON sessions (user_id) WHERE revoked_at IS NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS sessions_expires_at_idx
    ON sessions (expires_at);

-- So that the planner knows the expressions and the parts.
ANALYZE students, users, medications, student_medications, medication_logs, health_records,
    appointments, incident_reports, emergency_contacts, audit_logs, vaccinations, messages,
    message_delivery, inventory_items, inventory_transactions, compliance_reports,
    compliance_violations, sessions;

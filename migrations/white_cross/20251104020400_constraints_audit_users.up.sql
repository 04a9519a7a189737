-- 20251104020400_constraints_audit_users
-- Purpose: 98 foreign keys: who created and who last changed a row of each PHI table.
-- HIPAA: audit fields; the row stays when the user is deleted.
-- Depends on: all schema migrations.

ALTER TABLE students
    ADD CONSTRAINT students_created_by_fkey
        FOREIGN KEY (created_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT students_updated_by_fkey
        FOREIGN KEY (updated_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE emergency_contacts
    ADD CONSTRAINT emergency_contacts_created_by_fkey
        FOREIGN KEY (created_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT emergency_contacts_updated_by_fkey
        FOREIGN KEY (updated_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE contacts
    ADD CONSTRAINT contacts_created_by_fkey
        FOREIGN KEY (created_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT contacts_updated_by_fkey
        FOREIGN KEY (updated_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE health_records
    ADD CONSTRAINT health_records_created_by_fkey
        FOREIGN KEY (created_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT health_records_updated_by_fkey
        FOREIGN KEY (updated_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE allergies
    ADD CONSTRAINT allergies_created_by_fkey
        FOREIGN KEY (created_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT allergies_updated_by_fkey
        FOREIGN KEY (updated_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE chronic_conditions
    ADD CONSTRAINT chronic_conditions_created_by_fkey
        FOREIGN KEY (created_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT chronic_conditions_updated_by_fkey
        FOREIGN KEY (updated_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE vaccinations
    ADD CONSTRAINT vaccinations_created_by_fkey
        FOREIGN KEY (created_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT vaccinations_updated_by_fkey
        FOREIGN KEY (updated_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE immunizations
    ADD CONSTRAINT immunizations_created_by_fkey
        FOREIGN KEY (created_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT immunizations_updated_by_fkey
        FOREIGN KEY (updated_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE screenings
    ADD CONSTRAINT screenings_created_by_fkey
        FOREIGN KEY (created_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT screenings_updated_by_fkey
        FOREIGN KEY (updated_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE growth_measurements
    ADD CONSTRAINT growth_measurements_created_by_fkey
        FOREIGN KEY (created_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT growth_measurements_updated_by_fkey
        FOREIGN KEY (updated_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE vital_signs
    ADD CONSTRAINT vital_signs_created_by_fkey
        FOREIGN KEY (created_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT vital_signs_updated_by_fkey
        FOREIGN KEY (updated_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE student_medications
    ADD CONSTRAINT student_medications_created_by_fkey
        FOREIGN KEY (created_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT student_medications_updated_by_fkey
        FOREIGN KEY (updated_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE medication_logs
    ADD CONSTRAINT medication_logs_created_by_fkey
        FOREIGN KEY (created_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT medication_logs_updated_by_fkey
        FOREIGN KEY (updated_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE prescriptions
    ADD CONSTRAINT prescriptions_created_by_fkey
        FOREIGN KEY (created_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT prescriptions_updated_by_fkey
        FOREIGN KEY (updated_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE student_drug_allergies
    ADD CONSTRAINT student_drug_allergies_created_by_fkey
        FOREIGN KEY (created_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT student_drug_allergies_updated_by_fkey
        FOREIGN KEY (updated_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE clinic_visits
    ADD CONSTRAINT clinic_visits_created_by_fkey
        FOREIGN KEY (created_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT clinic_visits_updated_by_fkey
        FOREIGN KEY (updated_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE clinical_notes
    ADD CONSTRAINT clinical_notes_created_by_fkey
        FOREIGN KEY (created_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT clinical_notes_updated_by_fkey
        FOREIGN KEY (updated_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE lab_results
    ADD CONSTRAINT lab_results_created_by_fkey
        FOREIGN KEY (created_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT lab_results_updated_by_fkey
        FOREIGN KEY (updated_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE medical_history
    ADD CONSTRAINT medical_history_created_by_fkey
        FOREIGN KEY (created_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT medical_history_updated_by_fkey
        FOREIGN KEY (updated_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE mental_health_records
    ADD CONSTRAINT mental_health_records_created_by_fkey
        FOREIGN KEY (created_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT mental_health_records_updated_by_fkey
        FOREIGN KEY (updated_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE treatment_plans
    ADD CONSTRAINT treatment_plans_created_by_fkey
        FOREIGN KEY (created_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT treatment_plans_updated_by_fkey
        FOREIGN KEY (updated_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE appointments
    ADD CONSTRAINT appointments_created_by_fkey
        FOREIGN KEY (created_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT appointments_updated_by_fkey
        FOREIGN KEY (updated_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE appointment_reminders
    ADD CONSTRAINT appointment_reminders_created_by_fkey
        FOREIGN KEY (created_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT appointment_reminders_updated_by_fkey
        FOREIGN KEY (updated_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE appointment_waitlist
    ADD CONSTRAINT appointment_waitlist_created_by_fkey
        FOREIGN KEY (created_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT appointment_waitlist_updated_by_fkey
        FOREIGN KEY (updated_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE incident_reports
    ADD CONSTRAINT incident_reports_created_by_fkey
        FOREIGN KEY (created_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT incident_reports_updated_by_fkey
        FOREIGN KEY (updated_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE witness_statements
    ADD CONSTRAINT witness_statements_created_by_fkey
        FOREIGN KEY (created_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT witness_statements_updated_by_fkey
        FOREIGN KEY (updated_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE messages
    ADD CONSTRAINT messages_created_by_fkey
        FOREIGN KEY (created_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT messages_updated_by_fkey
        FOREIGN KEY (updated_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE message_delivery
    ADD CONSTRAINT message_delivery_created_by_fkey
        FOREIGN KEY (created_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT message_delivery_updated_by_fkey
        FOREIGN KEY (updated_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE push_notifications
    ADD CONSTRAINT push_notifications_created_by_fkey
        FOREIGN KEY (created_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT push_notifications_updated_by_fkey
        FOREIGN KEY (updated_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE alert_instances
    ADD CONSTRAINT alert_instances_created_by_fkey
        FOREIGN KEY (created_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT alert_instances_updated_by_fkey
        FOREIGN KEY (updated_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE alert_delivery_log
    ADD CONSTRAINT alert_delivery_log_created_by_fkey
        FOREIGN KEY (created_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT alert_delivery_log_updated_by_fkey
        FOREIGN KEY (updated_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE phi_disclosures
    ADD CONSTRAINT phi_disclosures_created_by_fkey
        FOREIGN KEY (created_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT phi_disclosures_updated_by_fkey
        FOREIGN KEY (updated_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE consent_signatures
    ADD CONSTRAINT consent_signatures_created_by_fkey
        FOREIGN KEY (created_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT consent_signatures_updated_by_fkey
        FOREIGN KEY (updated_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE report_instances
    ADD CONSTRAINT report_instances_created_by_fkey
        FOREIGN KEY (created_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT report_instances_updated_by_fkey
        FOREIGN KEY (updated_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE sync_queue_items
    ADD CONSTRAINT sync_queue_items_created_by_fkey
        FOREIGN KEY (created_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT sync_queue_items_updated_by_fkey
        FOREIGN KEY (updated_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE sync_conflicts
    ADD CONSTRAINT sync_conflicts_created_by_fkey
        FOREIGN KEY (created_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT sync_conflicts_updated_by_fkey
        FOREIGN KEY (updated_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE sis_sync_conflicts
    ADD CONSTRAINT sis_sync_conflicts_created_by_fkey
        FOREIGN KEY (created_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT sis_sync_conflicts_updated_by_fkey
        FOREIGN KEY (updated_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE sis_sync_errors
    ADD CONSTRAINT sis_sync_errors_created_by_fkey
        FOREIGN KEY (created_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT sis_sync_errors_updated_by_fkey
        FOREIGN KEY (updated_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE registry_submissions
    ADD CONSTRAINT registry_submissions_created_by_fkey
        FOREIGN KEY (created_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT registry_submissions_updated_by_fkey
        FOREIGN KEY (updated_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE follow_up_actions
    ADD CONSTRAINT follow_up_actions_created_by_fkey
        FOREIGN KEY (created_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT follow_up_actions_updated_by_fkey
        FOREIGN KEY (updated_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE follow_up_appointments
    ADD CONSTRAINT follow_up_appointments_created_by_fkey
        FOREIGN KEY (created_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT follow_up_appointments_updated_by_fkey
        FOREIGN KEY (updated_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE academic_transcripts
    ADD CONSTRAINT academic_transcripts_created_by_fkey
        FOREIGN KEY (created_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT academic_transcripts_updated_by_fkey
        FOREIGN KEY (updated_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE symptom_tracking
    ADD CONSTRAINT symptom_tracking_created_by_fkey
        FOREIGN KEY (created_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT symptom_tracking_updated_by_fkey
        FOREIGN KEY (updated_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE outbreak_case_clusters
    ADD CONSTRAINT outbreak_case_clusters_created_by_fkey
        FOREIGN KEY (created_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT outbreak_case_clusters_updated_by_fkey
        FOREIGN KEY (updated_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE immunization_reminders
    ADD CONSTRAINT immunization_reminders_created_by_fkey
        FOREIGN KEY (created_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT immunization_reminders_updated_by_fkey
        FOREIGN KEY (updated_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE medicaid_eligibility
    ADD CONSTRAINT medicaid_eligibility_created_by_fkey
        FOREIGN KEY (created_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT medicaid_eligibility_updated_by_fkey
        FOREIGN KEY (updated_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE billing_claims
    ADD CONSTRAINT billing_claims_created_by_fkey
        FOREIGN KEY (created_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT billing_claims_updated_by_fkey
        FOREIGN KEY (updated_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE documents
    ADD CONSTRAINT documents_created_by_fkey
        FOREIGN KEY (created_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT documents_updated_by_fkey
        FOREIGN KEY (updated_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE shared_documents
    ADD CONSTRAINT shared_documents_created_by_fkey
        FOREIGN KEY (created_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT shared_documents_updated_by_fkey
        FOREIGN KEY (updated_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

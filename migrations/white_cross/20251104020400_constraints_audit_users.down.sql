-- Undoes 20251104020400_constraints_audit_users.

ALTER TABLE shared_documents
    DROP CONSTRAINT shared_documents_updated_by_fkey,
    DROP CONSTRAINT shared_documents_created_by_fkey;

ALTER TABLE documents
    DROP CONSTRAINT documents_updated_by_fkey,
    DROP CONSTRAINT documents_created_by_fkey;

ALTER TABLE billing_claims
    DROP CONSTRAINT billing_claims_updated_by_fkey,
    DROP CONSTRAINT billing_claims_created_by_fkey;

ALTER TABLE medicaid_eligibility
    DROP CONSTRAINT medicaid_eligibility_updated_by_fkey,
    DROP CONSTRAINT medicaid_eligibility_created_by_fkey;

ALTER TABLE immunization_reminders
    DROP CONSTRAINT immunization_reminders_updated_by_fkey,
    DROP CONSTRAINT immunization_reminders_created_by_fkey;

ALTER TABLE outbreak_case_clusters
    DROP CONSTRAINT outbreak_case_clusters_updated_by_fkey,
    DROP CONSTRAINT outbreak_case_clusters_created_by_fkey;

ALTER TABLE symptom_tracking
    DROP CONSTRAINT symptom_tracking_updated_by_fkey,
    DROP CONSTRAINT symptom_tracking_created_by_fkey;

ALTER TABLE academic_transcripts
    DROP CONSTRAINT academic_transcripts_updated_by_fkey,
    DROP CONSTRAINT academic_transcripts_created_by_fkey;

ALTER TABLE follow_up_appointments
    DROP CONSTRAINT follow_up_appointments_updated_by_fkey,
    DROP CONSTRAINT follow_up_appointments_created_by_fkey;

ALTER TABLE follow_up_actions
    DROP CONSTRAINT follow_up_actions_updated_by_fkey,
    DROP CONSTRAINT follow_up_actions_created_by_fkey;

ALTER TABLE registry_submissions
    DROP CONSTRAINT registry_submissions_updated_by_fkey,
    DROP CONSTRAINT registry_submissions_created_by_fkey;

ALTER TABLE sis_sync_errors
    DROP CONSTRAINT sis_sync_errors_updated_by_fkey,
    DROP CONSTRAINT sis_sync_errors_created_by_fkey;

ALTER TABLE sis_sync_conflicts
    DROP CONSTRAINT sis_sync_conflicts_updated_by_fkey,
    DROP CONSTRAINT sis_sync_conflicts_created_by_fkey;

ALTER TABLE sync_conflicts
    DROP CONSTRAINT sync_conflicts_updated_by_fkey,
    DROP CONSTRAINT sync_conflicts_created_by_fkey;

ALTER TABLE sync_queue_items
    DROP CONSTRAINT sync_queue_items_updated_by_fkey,
    DROP CONSTRAINT sync_queue_items_created_by_fkey;

ALTER TABLE report_instances
    DROP CONSTRAINT report_instances_updated_by_fkey,
    DROP CONSTRAINT report_instances_created_by_fkey;

ALTER TABLE consent_signatures
    DROP CONSTRAINT consent_signatures_updated_by_fkey,
    DROP CONSTRAINT consent_signatures_created_by_fkey;

ALTER TABLE phi_disclosures
    DROP CONSTRAINT phi_disclosures_updated_by_fkey,
    DROP CONSTRAINT phi_disclosures_created_by_fkey;

ALTER TABLE alert_delivery_log
    DROP CONSTRAINT alert_delivery_log_updated_by_fkey,
    DROP CONSTRAINT alert_delivery_log_created_by_fkey;

ALTER TABLE alert_instances
    DROP CONSTRAINT alert_instances_updated_by_fkey,
    DROP CONSTRAINT alert_instances_created_by_fkey;

ALTER TABLE push_notifications
    DROP CONSTRAINT push_notifications_updated_by_fkey,
    DROP CONSTRAINT push_notifications_created_by_fkey;

ALTER TABLE message_delivery
    DROP CONSTRAINT message_delivery_updated_by_fkey,
    DROP CONSTRAINT message_delivery_created_by_fkey;

ALTER TABLE messages
    DROP CONSTRAINT messages_updated_by_fkey,
    DROP CONSTRAINT messages_created_by_fkey;

ALTER TABLE witness_statements
    DROP CONSTRAINT witness_statements_updated_by_fkey,
    DROP CONSTRAINT witness_statements_created_by_fkey;

ALTER TABLE incident_reports
    DROP CONSTRAINT incident_reports_updated_by_fkey,
    DROP CONSTRAINT incident_reports_created_by_fkey;

ALTER TABLE appointment_waitlist
    DROP CONSTRAINT appointment_waitlist_updated_by_fkey,
    DROP CONSTRAINT appointment_waitlist_created_by_fkey;

ALTER TABLE appointment_reminders
    DROP CONSTRAINT appointment_reminders_updated_by_fkey,
    DROP CONSTRAINT appointment_reminders_created_by_fkey;

ALTER TABLE appointments
    DROP CONSTRAINT appointments_updated_by_fkey,
    DROP CONSTRAINT appointments_created_by_fkey;

ALTER TABLE treatment_plans
    DROP CONSTRAINT treatment_plans_updated_by_fkey,
    DROP CONSTRAINT treatment_plans_created_by_fkey;

ALTER TABLE mental_health_records
    DROP CONSTRAINT mental_health_records_updated_by_fkey,
    DROP CONSTRAINT mental_health_records_created_by_fkey;

ALTER TABLE medical_history
    DROP CONSTRAINT medical_history_updated_by_fkey,
    DROP CONSTRAINT medical_history_created_by_fkey;

ALTER TABLE lab_results
    DROP CONSTRAINT lab_results_updated_by_fkey,
    DROP CONSTRAINT lab_results_created_by_fkey;

ALTER TABLE clinical_notes
    DROP CONSTRAINT clinical_notes_updated_by_fkey,
    DROP CONSTRAINT clinical_notes_created_by_fkey;

ALTER TABLE clinic_visits
    DROP CONSTRAINT clinic_visits_updated_by_fkey,
    DROP CONSTRAINT clinic_visits_created_by_fkey;

ALTER TABLE student_drug_allergies
    DROP CONSTRAINT student_drug_allergies_updated_by_fkey,
    DROP CONSTRAINT student_drug_allergies_created_by_fkey;

ALTER TABLE prescriptions
    DROP CONSTRAINT prescriptions_updated_by_fkey,
    DROP CONSTRAINT prescriptions_created_by_fkey;

ALTER TABLE medication_logs
    DROP CONSTRAINT medication_logs_updated_by_fkey,
    DROP CONSTRAINT medication_logs_created_by_fkey;

ALTER TABLE student_medications
    DROP CONSTRAINT student_medications_updated_by_fkey,
    DROP CONSTRAINT student_medications_created_by_fkey;

ALTER TABLE vital_signs
    DROP CONSTRAINT vital_signs_updated_by_fkey,
    DROP CONSTRAINT vital_signs_created_by_fkey;

ALTER TABLE growth_measurements
    DROP CONSTRAINT growth_measurements_updated_by_fkey,
    DROP CONSTRAINT growth_measurements_created_by_fkey;

ALTER TABLE screenings
    DROP CONSTRAINT screenings_updated_by_fkey,
    DROP CONSTRAINT screenings_created_by_fkey;

ALTER TABLE immunizations
    DROP CONSTRAINT immunizations_updated_by_fkey,
    DROP CONSTRAINT immunizations_created_by_fkey;

ALTER TABLE vaccinations
    DROP CONSTRAINT vaccinations_updated_by_fkey,
    DROP CONSTRAINT vaccinations_created_by_fkey;

ALTER TABLE chronic_conditions
    DROP CONSTRAINT chronic_conditions_updated_by_fkey,
    DROP CONSTRAINT chronic_conditions_created_by_fkey;

ALTER TABLE allergies
    DROP CONSTRAINT allergies_updated_by_fkey,
    DROP CONSTRAINT allergies_created_by_fkey;

ALTER TABLE health_records
    DROP CONSTRAINT health_records_updated_by_fkey,
    DROP CONSTRAINT health_records_created_by_fkey;

ALTER TABLE contacts
    DROP CONSTRAINT contacts_updated_by_fkey,
    DROP CONSTRAINT contacts_created_by_fkey;

ALTER TABLE emergency_contacts
    DROP CONSTRAINT emergency_contacts_updated_by_fkey,
    DROP CONSTRAINT emergency_contacts_created_by_fkey;

ALTER TABLE students
    DROP CONSTRAINT students_updated_by_fkey,
    DROP CONSTRAINT students_created_by_fkey;

-- 20251104020200_constraints_foreign_keys_health
-- Purpose: 79 foreign keys: health records, medications, clinic, appointments, incidents,
--     follow-ups, outbreaks, immunizations, billing.
-- HIPAA: health data goes with its student; claims keep theirs.
-- Depends on: all schema migrations.

-- The deferred keys are of rows under two parents: a district that is deleted takes both, in an
-- order of the database; the check waits for the end of the transaction.

ALTER TABLE health_records
    ADD CONSTRAINT health_records_student_id_fkey
        FOREIGN KEY (student_id) REFERENCES students (id) ON DELETE CASCADE;

ALTER TABLE allergies
    ADD CONSTRAINT allergies_student_id_fkey
        FOREIGN KEY (student_id) REFERENCES students (id) ON DELETE CASCADE,
    ADD CONSTRAINT allergies_health_record_id_fkey
        FOREIGN KEY (health_record_id) REFERENCES health_records (id) ON DELETE SET NULL,
    ADD CONSTRAINT allergies_verified_by_fkey
        FOREIGN KEY (verified_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE chronic_conditions
    ADD CONSTRAINT chronic_conditions_student_id_fkey
        FOREIGN KEY (student_id) REFERENCES students (id) ON DELETE CASCADE,
    ADD CONSTRAINT chronic_conditions_health_record_id_fkey
        FOREIGN KEY (health_record_id) REFERENCES health_records (id) ON DELETE SET NULL;

ALTER TABLE vaccinations
    ADD CONSTRAINT vaccinations_student_id_fkey
        FOREIGN KEY (student_id) REFERENCES students (id) ON DELETE CASCADE,
    ADD CONSTRAINT vaccinations_health_record_id_fkey
        FOREIGN KEY (health_record_id) REFERENCES health_records (id) ON DELETE SET NULL,
    ADD CONSTRAINT vaccinations_administered_by_fkey
        FOREIGN KEY (administered_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE immunizations
    ADD CONSTRAINT immunizations_student_id_fkey
        FOREIGN KEY (student_id) REFERENCES students (id) ON DELETE CASCADE,
    ADD CONSTRAINT immunizations_last_dose_id_fkey
        FOREIGN KEY (last_dose_id) REFERENCES vaccinations (id) ON DELETE SET NULL;

ALTER TABLE screenings
    ADD CONSTRAINT screenings_student_id_fkey
        FOREIGN KEY (student_id) REFERENCES students (id) ON DELETE CASCADE,
    ADD CONSTRAINT screenings_health_record_id_fkey
        FOREIGN KEY (health_record_id) REFERENCES health_records (id) ON DELETE SET NULL,
    ADD CONSTRAINT screenings_screened_by_fkey
        FOREIGN KEY (screened_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE growth_measurements
    ADD CONSTRAINT growth_measurements_student_id_fkey
        FOREIGN KEY (student_id) REFERENCES students (id) ON DELETE CASCADE,
    ADD CONSTRAINT growth_measurements_health_record_id_fkey
        FOREIGN KEY (health_record_id) REFERENCES health_records (id) ON DELETE SET NULL,
    ADD CONSTRAINT growth_measurements_measured_by_fkey
        FOREIGN KEY (measured_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE vital_signs
    ADD CONSTRAINT vital_signs_student_id_fkey
        FOREIGN KEY (student_id) REFERENCES students (id) ON DELETE CASCADE,
    ADD CONSTRAINT vital_signs_clinic_visit_id_fkey
        FOREIGN KEY (clinic_visit_id) REFERENCES clinic_visits (id) ON DELETE SET NULL,
    ADD CONSTRAINT vital_signs_measured_by_fkey
        FOREIGN KEY (measured_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE medications
    ADD CONSTRAINT medications_school_id_fkey
        FOREIGN KEY (school_id) REFERENCES schools (id) ON UPDATE CASCADE ON DELETE CASCADE;

ALTER TABLE student_medications
    ADD CONSTRAINT student_medications_student_id_fkey
        FOREIGN KEY (student_id) REFERENCES students (id) ON DELETE CASCADE,
    ADD CONSTRAINT student_medications_medication_id_fkey
        FOREIGN KEY (medication_id) REFERENCES medications (id) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE medication_logs
    ADD CONSTRAINT medication_logs_student_medication_id_fkey
        FOREIGN KEY (student_medication_id) REFERENCES student_medications (id) ON DELETE CASCADE,
    ADD CONSTRAINT medication_logs_administered_by_fkey
        FOREIGN KEY (administered_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT medication_logs_witnessed_by_fkey
        FOREIGN KEY (witnessed_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE prescriptions
    ADD CONSTRAINT prescriptions_student_id_fkey
        FOREIGN KEY (student_id) REFERENCES students (id) ON DELETE CASCADE,
    ADD CONSTRAINT prescriptions_visit_id_fkey
        FOREIGN KEY (visit_id) REFERENCES clinic_visits (id) ON DELETE SET NULL,
    ADD CONSTRAINT prescriptions_drug_id_fkey
        FOREIGN KEY (drug_id) REFERENCES drug_catalog (id) ON DELETE SET NULL;

ALTER TABLE drug_interactions
    ADD CONSTRAINT drug_interactions_drug_1_id_fkey
        FOREIGN KEY (drug_1_id) REFERENCES drug_catalog (id) ON DELETE CASCADE,
    ADD CONSTRAINT drug_interactions_drug_2_id_fkey
        FOREIGN KEY (drug_2_id) REFERENCES drug_catalog (id) ON DELETE CASCADE;

ALTER TABLE student_drug_allergies
    ADD CONSTRAINT student_drug_allergies_student_id_fkey
        FOREIGN KEY (student_id) REFERENCES students (id) ON DELETE CASCADE,
    ADD CONSTRAINT student_drug_allergies_drug_id_fkey
        FOREIGN KEY (drug_id) REFERENCES drug_catalog (id) ON DELETE RESTRICT,
    ADD CONSTRAINT student_drug_allergies_allergy_id_fkey
        FOREIGN KEY (allergy_id) REFERENCES allergies (id) ON DELETE SET NULL;

ALTER TABLE clinic_visits
    ADD CONSTRAINT clinic_visits_student_id_fkey
        FOREIGN KEY (student_id) REFERENCES students (id) ON DELETE CASCADE,
    ADD CONSTRAINT clinic_visits_school_id_fkey
        FOREIGN KEY (school_id) REFERENCES schools (id) ON UPDATE CASCADE ON DELETE CASCADE,
    ADD CONSTRAINT clinic_visits_nurse_id_fkey
        FOREIGN KEY (nurse_id) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE clinical_notes
    ADD CONSTRAINT clinical_notes_student_id_fkey
        FOREIGN KEY (student_id) REFERENCES students (id) ON DELETE CASCADE,
    ADD CONSTRAINT clinical_notes_clinic_visit_id_fkey
        FOREIGN KEY (clinic_visit_id) REFERENCES clinic_visits (id) ON DELETE SET NULL,
    ADD CONSTRAINT clinical_notes_author_id_fkey
        FOREIGN KEY (author_id) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE clinical_protocols
    ADD CONSTRAINT clinical_protocols_approved_by_fkey
        FOREIGN KEY (approved_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE lab_results
    ADD CONSTRAINT lab_results_student_id_fkey
        FOREIGN KEY (student_id) REFERENCES students (id) ON DELETE CASCADE,
    ADD CONSTRAINT lab_results_health_record_id_fkey
        FOREIGN KEY (health_record_id) REFERENCES health_records (id) ON DELETE SET NULL,
    ADD CONSTRAINT lab_results_ordered_by_fkey
        FOREIGN KEY (ordered_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE medical_history
    ADD CONSTRAINT medical_history_student_id_fkey
        FOREIGN KEY (student_id) REFERENCES students (id) ON DELETE CASCADE;

ALTER TABLE mental_health_records
    ADD CONSTRAINT mental_health_records_student_id_fkey
        FOREIGN KEY (student_id) REFERENCES students (id) ON DELETE CASCADE,
    ADD CONSTRAINT mental_health_records_counselor_id_fkey
        FOREIGN KEY (counselor_id) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE treatment_plans
    ADD CONSTRAINT treatment_plans_student_id_fkey
        FOREIGN KEY (student_id) REFERENCES students (id) ON DELETE CASCADE,
    ADD CONSTRAINT treatment_plans_chronic_condition_id_fkey
        FOREIGN KEY (chronic_condition_id) REFERENCES chronic_conditions (id) ON DELETE SET NULL;

ALTER TABLE appointments
    ADD CONSTRAINT appointments_student_id_fkey
        FOREIGN KEY (student_id) REFERENCES students (id) ON DELETE CASCADE,
    ADD CONSTRAINT appointments_nurse_id_fkey
        FOREIGN KEY (nurse_id) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE appointment_reminders
    ADD CONSTRAINT appointment_reminders_appointment_id_fkey
        FOREIGN KEY (appointment_id) REFERENCES appointments (id) ON DELETE CASCADE;

ALTER TABLE appointment_waitlist
    ADD CONSTRAINT appointment_waitlist_student_id_fkey
        FOREIGN KEY (student_id) REFERENCES students (id) ON DELETE CASCADE,
    ADD CONSTRAINT appointment_waitlist_nurse_id_fkey
        FOREIGN KEY (nurse_id) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE incident_reports
    ADD CONSTRAINT incident_reports_student_id_fkey
        FOREIGN KEY (student_id) REFERENCES students (id) ON DELETE CASCADE,
    ADD CONSTRAINT incident_reports_school_id_fkey
        FOREIGN KEY (school_id) REFERENCES schools (id) ON UPDATE CASCADE ON DELETE CASCADE,
    ADD CONSTRAINT incident_reports_reported_by_fkey
        FOREIGN KEY (reported_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE witness_statements
    ADD CONSTRAINT witness_statements_incident_report_id_fkey
        FOREIGN KEY (incident_report_id) REFERENCES incident_reports (id) ON DELETE CASCADE,
    ADD CONSTRAINT witness_statements_taken_by_fkey
        FOREIGN KEY (taken_by) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE follow_up_actions
    ADD CONSTRAINT follow_up_actions_incident_report_id_fkey
        FOREIGN KEY (incident_report_id) REFERENCES incident_reports (id) ON DELETE CASCADE,
    ADD CONSTRAINT follow_up_actions_health_record_id_fkey
        FOREIGN KEY (health_record_id) REFERENCES health_records (id) ON DELETE CASCADE,
    ADD CONSTRAINT follow_up_actions_assigned_to_id_fkey
        FOREIGN KEY (assigned_to_id) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE follow_up_appointments
    ADD CONSTRAINT follow_up_appointments_follow_up_action_id_fkey
        FOREIGN KEY (follow_up_action_id) REFERENCES follow_up_actions (id) ON DELETE CASCADE,
    ADD CONSTRAINT follow_up_appointments_appointment_id_fkey
        FOREIGN KEY (appointment_id) REFERENCES appointments (id) ON DELETE CASCADE;

ALTER TABLE academic_transcripts
    ADD CONSTRAINT academic_transcripts_student_id_fkey
        FOREIGN KEY (student_id) REFERENCES students (id) ON DELETE CASCADE,
    ADD CONSTRAINT academic_transcripts_school_id_fkey
        FOREIGN KEY (school_id) REFERENCES schools (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE symptom_tracking
    ADD CONSTRAINT symptom_tracking_student_id_fkey
        FOREIGN KEY (student_id) REFERENCES students (id) ON DELETE CASCADE,
    ADD CONSTRAINT symptom_tracking_school_id_fkey
        FOREIGN KEY (school_id) REFERENCES schools (id) ON UPDATE CASCADE ON DELETE CASCADE,
    ADD CONSTRAINT symptom_tracking_clinic_visit_id_fkey
        FOREIGN KEY (clinic_visit_id) REFERENCES clinic_visits (id) ON DELETE SET NULL;

ALTER TABLE outbreak_alerts
    ADD CONSTRAINT outbreak_alerts_district_id_fkey
        FOREIGN KEY (district_id) REFERENCES districts (id) ON UPDATE CASCADE ON DELETE CASCADE,
    ADD CONSTRAINT outbreak_alerts_school_id_fkey
        FOREIGN KEY (school_id) REFERENCES schools (id) ON UPDATE CASCADE ON DELETE CASCADE;

ALTER TABLE outbreak_case_clusters
    ADD CONSTRAINT outbreak_case_clusters_outbreak_alert_id_fkey
        FOREIGN KEY (outbreak_alert_id) REFERENCES outbreak_alerts (id) ON DELETE CASCADE,
    ADD CONSTRAINT outbreak_case_clusters_school_id_fkey
        FOREIGN KEY (school_id) REFERENCES schools (id) ON UPDATE CASCADE ON DELETE CASCADE;

ALTER TABLE immunization_reminders
    ADD CONSTRAINT immunization_reminders_student_id_fkey
        FOREIGN KEY (student_id) REFERENCES students (id) ON DELETE CASCADE,
    ADD CONSTRAINT immunization_reminders_vaccination_schedule_id_fkey
        FOREIGN KEY (vaccination_schedule_id) REFERENCES vaccination_schedules (id) ON DELETE SET NULL;

ALTER TABLE medicaid_eligibility
    ADD CONSTRAINT medicaid_eligibility_student_id_fkey
        FOREIGN KEY (student_id) REFERENCES students (id) ON DELETE CASCADE;

ALTER TABLE billing_claims
    ADD CONSTRAINT billing_claims_student_id_fkey
        FOREIGN KEY (student_id) REFERENCES students (id) ON DELETE RESTRICT,
    ADD CONSTRAINT billing_claims_clinic_visit_id_fkey
        FOREIGN KEY (clinic_visit_id) REFERENCES clinic_visits (id) ON DELETE SET NULL,
    ADD CONSTRAINT billing_claims_medicaid_eligibility_id_fkey
        FOREIGN KEY (medicaid_eligibility_id) REFERENCES medicaid_eligibility (id) ON DELETE SET NULL;

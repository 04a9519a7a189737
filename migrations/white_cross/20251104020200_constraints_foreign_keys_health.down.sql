-- Undoes 20251104020200_constraints_foreign_keys_health.

ALTER TABLE billing_claims
    DROP CONSTRAINT billing_claims_medicaid_eligibility_id_fkey,
    DROP CONSTRAINT billing_claims_clinic_visit_id_fkey,
    DROP CONSTRAINT billing_claims_student_id_fkey;

ALTER TABLE medicaid_eligibility
    DROP CONSTRAINT medicaid_eligibility_student_id_fkey;

ALTER TABLE immunization_reminders
    DROP CONSTRAINT immunization_reminders_vaccination_schedule_id_fkey,
    DROP CONSTRAINT immunization_reminders_student_id_fkey;

ALTER TABLE outbreak_case_clusters
    DROP CONSTRAINT outbreak_case_clusters_school_id_fkey,
    DROP CONSTRAINT outbreak_case_clusters_outbreak_alert_id_fkey;

ALTER TABLE outbreak_alerts
    DROP CONSTRAINT outbreak_alerts_school_id_fkey,
    DROP CONSTRAINT outbreak_alerts_district_id_fkey;

ALTER TABLE symptom_tracking
    DROP CONSTRAINT symptom_tracking_clinic_visit_id_fkey,
    DROP CONSTRAINT symptom_tracking_school_id_fkey,
    DROP CONSTRAINT symptom_tracking_student_id_fkey;

ALTER TABLE academic_transcripts
    DROP CONSTRAINT academic_transcripts_school_id_fkey,
    DROP CONSTRAINT academic_transcripts_student_id_fkey;

ALTER TABLE follow_up_appointments
    DROP CONSTRAINT follow_up_appointments_appointment_id_fkey,
    DROP CONSTRAINT follow_up_appointments_follow_up_action_id_fkey;

ALTER TABLE follow_up_actions
    DROP CONSTRAINT follow_up_actions_assigned_to_id_fkey,
    DROP CONSTRAINT follow_up_actions_health_record_id_fkey,
    DROP CONSTRAINT follow_up_actions_incident_report_id_fkey;

ALTER TABLE witness_statements
    DROP CONSTRAINT witness_statements_taken_by_fkey,
    DROP CONSTRAINT witness_statements_incident_report_id_fkey;

ALTER TABLE incident_reports
    DROP CONSTRAINT incident_reports_reported_by_fkey,
    DROP CONSTRAINT incident_reports_school_id_fkey,
    DROP CONSTRAINT incident_reports_student_id_fkey;

ALTER TABLE appointment_waitlist
    DROP CONSTRAINT appointment_waitlist_nurse_id_fkey,
    DROP CONSTRAINT appointment_waitlist_student_id_fkey;

ALTER TABLE appointment_reminders
    DROP CONSTRAINT appointment_reminders_appointment_id_fkey;

ALTER TABLE appointments
    DROP CONSTRAINT appointments_nurse_id_fkey,
    DROP CONSTRAINT appointments_student_id_fkey;

ALTER TABLE treatment_plans
    DROP CONSTRAINT treatment_plans_chronic_condition_id_fkey,
    DROP CONSTRAINT treatment_plans_student_id_fkey;

ALTER TABLE mental_health_records
    DROP CONSTRAINT mental_health_records_counselor_id_fkey,
    DROP CONSTRAINT mental_health_records_student_id_fkey;

ALTER TABLE medical_history
    DROP CONSTRAINT medical_history_student_id_fkey;

ALTER TABLE lab_results
    DROP CONSTRAINT lab_results_ordered_by_fkey,
    DROP CONSTRAINT lab_results_health_record_id_fkey,
    DROP CONSTRAINT lab_results_student_id_fkey;

ALTER TABLE clinical_protocols
    DROP CONSTRAINT clinical_protocols_approved_by_fkey;

ALTER TABLE clinical_notes
    DROP CONSTRAINT clinical_notes_author_id_fkey,
    DROP CONSTRAINT clinical_notes_clinic_visit_id_fkey,
    DROP CONSTRAINT clinical_notes_student_id_fkey;

ALTER TABLE clinic_visits
    DROP CONSTRAINT clinic_visits_nurse_id_fkey,
    DROP CONSTRAINT clinic_visits_school_id_fkey,
    DROP CONSTRAINT clinic_visits_student_id_fkey;

ALTER TABLE student_drug_allergies
    DROP CONSTRAINT student_drug_allergies_allergy_id_fkey,
    DROP CONSTRAINT student_drug_allergies_drug_id_fkey,
    DROP CONSTRAINT student_drug_allergies_student_id_fkey;

ALTER TABLE drug_interactions
    DROP CONSTRAINT drug_interactions_drug_2_id_fkey,
    DROP CONSTRAINT drug_interactions_drug_1_id_fkey;

ALTER TABLE prescriptions
    DROP CONSTRAINT prescriptions_drug_id_fkey,
    DROP CONSTRAINT prescriptions_visit_id_fkey,
    DROP CONSTRAINT prescriptions_student_id_fkey;

ALTER TABLE medication_logs
    DROP CONSTRAINT medication_logs_witnessed_by_fkey,
    DROP CONSTRAINT medication_logs_administered_by_fkey,
    DROP CONSTRAINT medication_logs_student_medication_id_fkey;

ALTER TABLE student_medications
    DROP CONSTRAINT student_medications_medication_id_fkey,
    DROP CONSTRAINT student_medications_student_id_fkey;

ALTER TABLE medications
    DROP CONSTRAINT medications_school_id_fkey;

ALTER TABLE vital_signs
    DROP CONSTRAINT vital_signs_measured_by_fkey,
    DROP CONSTRAINT vital_signs_clinic_visit_id_fkey,
    DROP CONSTRAINT vital_signs_student_id_fkey;

ALTER TABLE growth_measurements
    DROP CONSTRAINT growth_measurements_measured_by_fkey,
    DROP CONSTRAINT growth_measurements_health_record_id_fkey,
    DROP CONSTRAINT growth_measurements_student_id_fkey;

ALTER TABLE screenings
    DROP CONSTRAINT screenings_screened_by_fkey,
    DROP CONSTRAINT screenings_health_record_id_fkey,
    DROP CONSTRAINT screenings_student_id_fkey;

ALTER TABLE immunizations
    DROP CONSTRAINT immunizations_last_dose_id_fkey,
    DROP CONSTRAINT immunizations_student_id_fkey;

ALTER TABLE vaccinations
    DROP CONSTRAINT vaccinations_administered_by_fkey,
    DROP CONSTRAINT vaccinations_health_record_id_fkey,
    DROP CONSTRAINT vaccinations_student_id_fkey;

ALTER TABLE chronic_conditions
    DROP CONSTRAINT chronic_conditions_health_record_id_fkey,
    DROP CONSTRAINT chronic_conditions_student_id_fkey;

ALTER TABLE allergies
    DROP CONSTRAINT allergies_verified_by_fkey,
    DROP CONSTRAINT allergies_health_record_id_fkey,
    DROP CONSTRAINT allergies_student_id_fkey;

ALTER TABLE health_records
    DROP CONSTRAINT health_records_student_id_fkey;

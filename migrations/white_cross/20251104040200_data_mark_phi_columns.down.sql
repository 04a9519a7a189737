-- Undoes 20251104040200_data_mark_phi_columns.

-- The log is open again here: its triggers, made later, are gone already.
DELETE FROM audit_logs
 WHERE action = 'MARK_PHI' AND entity_type = 'schema' AND performed_by = 'SYSTEM_MIGRATION';

COMMENT ON COLUMN students.student_number IS NULL;
COMMENT ON COLUMN students.first_name IS NULL;
COMMENT ON COLUMN students.last_name IS NULL;
COMMENT ON COLUMN students.date_of_birth IS NULL;
COMMENT ON COLUMN students.photo IS NULL;
COMMENT ON COLUMN students.medical_record_number IS NULL;
COMMENT ON COLUMN students.ssn IS NULL;

COMMENT ON COLUMN emergency_contacts.first_name IS NULL;
COMMENT ON COLUMN emergency_contacts.last_name IS NULL;
COMMENT ON COLUMN emergency_contacts.phone IS NULL;
COMMENT ON COLUMN emergency_contacts.alternate_phone IS NULL;
COMMENT ON COLUMN emergency_contacts.email IS NULL;
COMMENT ON COLUMN emergency_contacts.address IS NULL;

COMMENT ON COLUMN contacts.first_name IS NULL;
COMMENT ON COLUMN contacts.last_name IS NULL;
COMMENT ON COLUMN contacts.email IS NULL;
COMMENT ON COLUMN contacts.phone IS NULL;
COMMENT ON COLUMN contacts.address IS NULL;
COMMENT ON COLUMN contacts.notes IS NULL;

COMMENT ON COLUMN health_records.title IS NULL;
COMMENT ON COLUMN health_records.description IS NULL;
COMMENT ON COLUMN health_records.provider_name IS NULL;
COMMENT ON COLUMN health_records.diagnosis IS NULL;
COMMENT ON COLUMN health_records.diagnosis_code IS NULL;
COMMENT ON COLUMN health_records.treatment IS NULL;
COMMENT ON COLUMN health_records.attachments IS NULL;
COMMENT ON COLUMN health_records.notes IS NULL;

COMMENT ON COLUMN allergies.allergen IS NULL;
COMMENT ON COLUMN allergies.reactions IS NULL;
COMMENT ON COLUMN allergies.treatment IS NULL;
COMMENT ON COLUMN allergies.emergency_protocol IS NULL;
COMMENT ON COLUMN allergies.notes IS NULL;

COMMENT ON COLUMN chronic_conditions.condition IS NULL;
COMMENT ON COLUMN chronic_conditions.icd10_code IS NULL;
COMMENT ON COLUMN chronic_conditions.care_plan IS NULL;
COMMENT ON COLUMN chronic_conditions.restrictions IS NULL;
COMMENT ON COLUMN chronic_conditions.notes IS NULL;

COMMENT ON COLUMN vaccinations.vaccine_name IS NULL;
COMMENT ON COLUMN vaccinations.lot_number IS NULL;
COMMENT ON COLUMN vaccinations.adverse_reaction IS NULL;
COMMENT ON COLUMN vaccinations.notes IS NULL;

COMMENT ON COLUMN immunizations.exemption_reason IS NULL;
COMMENT ON COLUMN immunizations.notes IS NULL;

COMMENT ON COLUMN screenings.results IS NULL;
COMMENT ON COLUMN screenings.referral_to IS NULL;
COMMENT ON COLUMN screenings.notes IS NULL;

COMMENT ON COLUMN growth_measurements.height_cm IS NULL;
COMMENT ON COLUMN growth_measurements.weight_kg IS NULL;
COMMENT ON COLUMN growth_measurements.bmi IS NULL;
COMMENT ON COLUMN growth_measurements.height_percentile IS NULL;
COMMENT ON COLUMN growth_measurements.weight_percentile IS NULL;
COMMENT ON COLUMN growth_measurements.bmi_percentile IS NULL;
COMMENT ON COLUMN growth_measurements.notes IS NULL;

COMMENT ON COLUMN vital_signs.temperature_c IS NULL;
COMMENT ON COLUMN vital_signs.heart_rate IS NULL;
COMMENT ON COLUMN vital_signs.respiratory_rate IS NULL;
COMMENT ON COLUMN vital_signs.systolic IS NULL;
COMMENT ON COLUMN vital_signs.diastolic IS NULL;
COMMENT ON COLUMN vital_signs.oxygen_saturation IS NULL;
COMMENT ON COLUMN vital_signs.pain_score IS NULL;
COMMENT ON COLUMN vital_signs.notes IS NULL;

COMMENT ON COLUMN student_medications.dosage IS NULL;
COMMENT ON COLUMN student_medications.frequency IS NULL;
COMMENT ON COLUMN student_medications.instructions IS NULL;
COMMENT ON COLUMN student_medications.reason IS NULL;
COMMENT ON COLUMN student_medications.prescriber_name IS NULL;

COMMENT ON COLUMN medication_logs.dosage_given IS NULL;
COMMENT ON COLUMN medication_logs.side_effects IS NULL;
COMMENT ON COLUMN medication_logs.refusal_reason IS NULL;
COMMENT ON COLUMN medication_logs.notes IS NULL;

COMMENT ON COLUMN prescriptions.drug_name IS NULL;
COMMENT ON COLUMN prescriptions.strength IS NULL;
COMMENT ON COLUMN prescriptions.dosage IS NULL;
COMMENT ON COLUMN prescriptions.instructions IS NULL;
COMMENT ON COLUMN prescriptions.prescriber_name IS NULL;
COMMENT ON COLUMN prescriptions.pharmacy IS NULL;
COMMENT ON COLUMN prescriptions.rx_number IS NULL;

COMMENT ON COLUMN student_drug_allergies.reaction IS NULL;
COMMENT ON COLUMN student_drug_allergies.notes IS NULL;

COMMENT ON COLUMN clinic_visits.reason IS NULL;
COMMENT ON COLUMN clinic_visits.symptoms IS NULL;
COMMENT ON COLUMN clinic_visits.assessment IS NULL;
COMMENT ON COLUMN clinic_visits.treatment IS NULL;
COMMENT ON COLUMN clinic_visits.notes IS NULL;

COMMENT ON COLUMN clinical_notes.subjective IS NULL;
COMMENT ON COLUMN clinical_notes.objective IS NULL;
COMMENT ON COLUMN clinical_notes.assessment IS NULL;
COMMENT ON COLUMN clinical_notes.plan IS NULL;

COMMENT ON COLUMN lab_results.test_name IS NULL;
COMMENT ON COLUMN lab_results.result_value IS NULL;
COMMENT ON COLUMN lab_results.reference_range IS NULL;
COMMENT ON COLUMN lab_results.interpretation IS NULL;
COMMENT ON COLUMN lab_results.notes IS NULL;

COMMENT ON COLUMN medical_history.condition IS NULL;
COMMENT ON COLUMN medical_history.details IS NULL;
COMMENT ON COLUMN medical_history.relative IS NULL;

COMMENT ON COLUMN mental_health_records.presenting_problem IS NULL;
COMMENT ON COLUMN mental_health_records.assessment IS NULL;
COMMENT ON COLUMN mental_health_records.risk IS NULL;
COMMENT ON COLUMN mental_health_records.counseling_notes IS NULL;
COMMENT ON COLUMN mental_health_records.plan IS NULL;

COMMENT ON COLUMN treatment_plans.diagnosis IS NULL;
COMMENT ON COLUMN treatment_plans.goals IS NULL;
COMMENT ON COLUMN treatment_plans.interventions IS NULL;
COMMENT ON COLUMN treatment_plans.notes IS NULL;

COMMENT ON COLUMN appointments.reason IS NULL;
COMMENT ON COLUMN appointments.notes IS NULL;

COMMENT ON COLUMN appointment_reminders.recipient IS NULL;
COMMENT ON COLUMN appointment_reminders.message IS NULL;

COMMENT ON COLUMN appointment_waitlist.reason IS NULL;
COMMENT ON COLUMN appointment_waitlist.notes IS NULL;

COMMENT ON COLUMN incident_reports.description IS NULL;
COMMENT ON COLUMN incident_reports.injuries IS NULL;
COMMENT ON COLUMN incident_reports.actions_taken IS NULL;
COMMENT ON COLUMN incident_reports.follow_up_notes IS NULL;

COMMENT ON COLUMN witness_statements.witness_name IS NULL;
COMMENT ON COLUMN witness_statements.witness_contact IS NULL;
COMMENT ON COLUMN witness_statements.statement IS NULL;

COMMENT ON COLUMN messages.subject IS NULL;
COMMENT ON COLUMN messages.body IS NULL;

COMMENT ON COLUMN message_delivery.recipient_address IS NULL;

COMMENT ON COLUMN push_notifications.title IS NULL;
COMMENT ON COLUMN push_notifications.body IS NULL;

COMMENT ON COLUMN alert_instances.title IS NULL;
COMMENT ON COLUMN alert_instances.message IS NULL;

COMMENT ON COLUMN alert_delivery_log.recipient IS NULL;

COMMENT ON COLUMN phi_disclosures.recipient_name IS NULL;
COMMENT ON COLUMN phi_disclosures.recipient_address IS NULL;
COMMENT ON COLUMN phi_disclosures.information_disclosed IS NULL;
COMMENT ON COLUMN phi_disclosures.purpose_detail IS NULL;
COMMENT ON COLUMN phi_disclosures.notes IS NULL;

COMMENT ON COLUMN consent_signatures.signer_name IS NULL;
COMMENT ON COLUMN consent_signatures.relationship IS NULL;
COMMENT ON COLUMN consent_signatures.signature IS NULL;

COMMENT ON COLUMN report_instances.parameters IS NULL;
COMMENT ON COLUMN report_instances.file_name IS NULL;

COMMENT ON COLUMN sync_queue_items.payload IS NULL;

COMMENT ON COLUMN sync_conflicts.local_value IS NULL;
COMMENT ON COLUMN sync_conflicts.remote_value IS NULL;

COMMENT ON COLUMN sis_sync_conflicts.local_value IS NULL;
COMMENT ON COLUMN sis_sync_conflicts.sis_value IS NULL;

COMMENT ON COLUMN sis_sync_errors.source_record IS NULL;
COMMENT ON COLUMN sis_sync_errors.detail IS NULL;

COMMENT ON COLUMN registry_submissions.hl7_message IS NULL;
COMMENT ON COLUMN registry_submissions.response IS NULL;

COMMENT ON COLUMN follow_up_actions.description IS NULL;
COMMENT ON COLUMN follow_up_actions.notes IS NULL;

COMMENT ON COLUMN follow_up_appointments.reason IS NULL;
COMMENT ON COLUMN follow_up_appointments.notes IS NULL;

COMMENT ON COLUMN academic_transcripts.grades IS NULL;
COMMENT ON COLUMN academic_transcripts.gpa IS NULL;
COMMENT ON COLUMN academic_transcripts.attendance IS NULL;
COMMENT ON COLUMN academic_transcripts.notes IS NULL;

COMMENT ON COLUMN symptom_tracking.symptoms IS NULL;
COMMENT ON COLUMN symptom_tracking.temperature_c IS NULL;
COMMENT ON COLUMN symptom_tracking.notes IS NULL;

COMMENT ON COLUMN outbreak_case_clusters.location IS NULL;
COMMENT ON COLUMN outbreak_case_clusters.notes IS NULL;

COMMENT ON COLUMN immunization_reminders.recipient IS NULL;
COMMENT ON COLUMN immunization_reminders.message IS NULL;

COMMENT ON COLUMN medicaid_eligibility.medicaid_id IS NULL;
COMMENT ON COLUMN medicaid_eligibility.payer_response IS NULL;

COMMENT ON COLUMN billing_claims.claim_number IS NULL;
COMMENT ON COLUMN billing_claims.diagnosis_codes IS NULL;
COMMENT ON COLUMN billing_claims.procedure_codes IS NULL;
COMMENT ON COLUMN billing_claims.payer_response IS NULL;

COMMENT ON COLUMN documents.file_name IS NULL;
COMMENT ON COLUMN documents.description IS NULL;
COMMENT ON COLUMN documents.content IS NULL;

COMMENT ON COLUMN shared_documents.recipient_email IS NULL;

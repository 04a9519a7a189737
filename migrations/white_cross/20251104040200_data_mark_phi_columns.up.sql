-- 20251104040200_data_mark_phi_columns
-- Purpose: marks the 170 PHI columns of 49 tables by a comment that begins with PHI:, and logs it.
--     Sealing is the engine's.
-- HIPAA: says in the database which columns are PHI; the plan file names the same.
-- Depends on: all schema migrations.
-- Rows: 1 in audit_logs.
-- Duration: under a second.

COMMENT ON COLUMN students.student_number IS 'PHI: the school''s number of the student';
COMMENT ON COLUMN students.first_name IS 'PHI: first name';
COMMENT ON COLUMN students.last_name IS 'PHI: last name';
COMMENT ON COLUMN students.date_of_birth IS 'PHI: date of birth';
COMMENT ON COLUMN students.photo IS 'PHI: picture of the student';
COMMENT ON COLUMN students.medical_record_number IS 'PHI: medical record number';
COMMENT ON COLUMN students.ssn IS 'PHI: social security number';

COMMENT ON COLUMN emergency_contacts.first_name IS 'PHI: first name';
COMMENT ON COLUMN emergency_contacts.last_name IS 'PHI: last name';
COMMENT ON COLUMN emergency_contacts.phone IS 'PHI: telephone number';
COMMENT ON COLUMN emergency_contacts.alternate_phone IS 'PHI: second telephone number';
COMMENT ON COLUMN emergency_contacts.email IS 'PHI: e-mail address';
COMMENT ON COLUMN emergency_contacts.address IS 'PHI: postal address';

COMMENT ON COLUMN contacts.first_name IS 'PHI: first name';
COMMENT ON COLUMN contacts.last_name IS 'PHI: last name';
COMMENT ON COLUMN contacts.email IS 'PHI: e-mail address';
COMMENT ON COLUMN contacts.phone IS 'PHI: telephone number';
COMMENT ON COLUMN contacts.address IS 'PHI: postal address';
COMMENT ON COLUMN contacts.notes IS 'PHI: notes, free text';

COMMENT ON COLUMN health_records.title IS 'PHI: title, free text';
COMMENT ON COLUMN health_records.description IS 'PHI: description, free text';
COMMENT ON COLUMN health_records.provider_name IS 'PHI: who treated the student';
COMMENT ON COLUMN health_records.diagnosis IS 'PHI: diagnosis';
COMMENT ON COLUMN health_records.diagnosis_code IS 'PHI: diagnosis as an ICD-10 code';
COMMENT ON COLUMN health_records.treatment IS 'PHI: treatment';
COMMENT ON COLUMN health_records.attachments IS 'PHI: attached files';
COMMENT ON COLUMN health_records.notes IS 'PHI: notes, free text';

COMMENT ON COLUMN allergies.allergen IS 'PHI: what the student is allergic to';
COMMENT ON COLUMN allergies.reactions IS 'PHI: how the student reacts';
COMMENT ON COLUMN allergies.treatment IS 'PHI: treatment';
COMMENT ON COLUMN allergies.emergency_protocol IS 'PHI: what to do in an emergency';
COMMENT ON COLUMN allergies.notes IS 'PHI: notes, free text';

COMMENT ON COLUMN chronic_conditions.condition IS 'PHI: condition';
COMMENT ON COLUMN chronic_conditions.icd10_code IS 'PHI: condition as an ICD-10 code';
COMMENT ON COLUMN chronic_conditions.care_plan IS 'PHI: care plan';
COMMENT ON COLUMN chronic_conditions.restrictions IS 'PHI: what the student may not do';
COMMENT ON COLUMN chronic_conditions.notes IS 'PHI: notes, free text';

COMMENT ON COLUMN vaccinations.vaccine_name IS 'PHI: vaccine given';
COMMENT ON COLUMN vaccinations.lot_number IS 'PHI: lot given';
COMMENT ON COLUMN vaccinations.adverse_reaction IS 'PHI: adverse reaction';
COMMENT ON COLUMN vaccinations.notes IS 'PHI: notes, free text';

COMMENT ON COLUMN immunizations.exemption_reason IS 'PHI: medical or religious reason of an exemption';
COMMENT ON COLUMN immunizations.notes IS 'PHI: notes, free text';

COMMENT ON COLUMN screenings.results IS 'PHI: results';
COMMENT ON COLUMN screenings.referral_to IS 'PHI: who the student was referred to';
COMMENT ON COLUMN screenings.notes IS 'PHI: notes, free text';

COMMENT ON COLUMN growth_measurements.height_cm IS 'PHI: height';
COMMENT ON COLUMN growth_measurements.weight_kg IS 'PHI: weight';
COMMENT ON COLUMN growth_measurements.bmi IS 'PHI: body mass index';
COMMENT ON COLUMN growth_measurements.height_percentile IS 'PHI: percentile of height';
COMMENT ON COLUMN growth_measurements.weight_percentile IS 'PHI: percentile of weight';
COMMENT ON COLUMN growth_measurements.bmi_percentile IS 'PHI: percentile of body mass index';
COMMENT ON COLUMN growth_measurements.notes IS 'PHI: notes, free text';

COMMENT ON COLUMN vital_signs.temperature_c IS 'PHI: body temperature';
COMMENT ON COLUMN vital_signs.heart_rate IS 'PHI: heart rate';
COMMENT ON COLUMN vital_signs.respiratory_rate IS 'PHI: respiratory rate';
COMMENT ON COLUMN vital_signs.systolic IS 'PHI: systolic blood pressure';
COMMENT ON COLUMN vital_signs.diastolic IS 'PHI: diastolic blood pressure';
COMMENT ON COLUMN vital_signs.oxygen_saturation IS 'PHI: oxygen saturation';
COMMENT ON COLUMN vital_signs.pain_score IS 'PHI: pain, 0 to 10';
COMMENT ON COLUMN vital_signs.notes IS 'PHI: notes, free text';

COMMENT ON COLUMN student_medications.dosage IS 'PHI: dosage';
COMMENT ON COLUMN student_medications.frequency IS 'PHI: how often';
COMMENT ON COLUMN student_medications.instructions IS 'PHI: instructions';
COMMENT ON COLUMN student_medications.reason IS 'PHI: reason, free text';
COMMENT ON COLUMN student_medications.prescriber_name IS 'PHI: who prescribed it';

COMMENT ON COLUMN medication_logs.dosage_given IS 'PHI: dose given';
COMMENT ON COLUMN medication_logs.side_effects IS 'PHI: side effects';
COMMENT ON COLUMN medication_logs.refusal_reason IS 'PHI: why the student refused';
COMMENT ON COLUMN medication_logs.notes IS 'PHI: notes, free text';

COMMENT ON COLUMN prescriptions.drug_name IS 'PHI: drug';
COMMENT ON COLUMN prescriptions.strength IS 'PHI: strength of the drug';
COMMENT ON COLUMN prescriptions.dosage IS 'PHI: dosage';
COMMENT ON COLUMN prescriptions.instructions IS 'PHI: instructions';
COMMENT ON COLUMN prescriptions.prescriber_name IS 'PHI: who prescribed it';
COMMENT ON COLUMN prescriptions.pharmacy IS 'PHI: pharmacy';
COMMENT ON COLUMN prescriptions.rx_number IS 'PHI: number of the prescription';

COMMENT ON COLUMN student_drug_allergies.reaction IS 'PHI: how the student reacts';
COMMENT ON COLUMN student_drug_allergies.notes IS 'PHI: notes, free text';

COMMENT ON COLUMN clinic_visits.reason IS 'PHI: reason, free text';
COMMENT ON COLUMN clinic_visits.symptoms IS 'PHI: symptoms';
COMMENT ON COLUMN clinic_visits.assessment IS 'PHI: assessment';
COMMENT ON COLUMN clinic_visits.treatment IS 'PHI: treatment';
COMMENT ON COLUMN clinic_visits.notes IS 'PHI: notes, free text';

COMMENT ON COLUMN clinical_notes.subjective IS 'PHI: what the student tells';
COMMENT ON COLUMN clinical_notes.objective IS 'PHI: what was found';
COMMENT ON COLUMN clinical_notes.assessment IS 'PHI: assessment';
COMMENT ON COLUMN clinical_notes.plan IS 'PHI: plan';

COMMENT ON COLUMN lab_results.test_name IS 'PHI: laboratory test';
COMMENT ON COLUMN lab_results.result_value IS 'PHI: result';
COMMENT ON COLUMN lab_results.reference_range IS 'PHI: reference range, by age and sex';
COMMENT ON COLUMN lab_results.interpretation IS 'PHI: interpretation of the result';
COMMENT ON COLUMN lab_results.notes IS 'PHI: notes, free text';

COMMENT ON COLUMN medical_history.condition IS 'PHI: condition';
COMMENT ON COLUMN medical_history.details IS 'PHI: details, free text';
COMMENT ON COLUMN medical_history.relative IS 'PHI: which relative';

COMMENT ON COLUMN mental_health_records.presenting_problem IS 'PHI: presenting problem';
COMMENT ON COLUMN mental_health_records.assessment IS 'PHI: assessment';
COMMENT ON COLUMN mental_health_records.risk IS 'PHI: risk assessment';
COMMENT ON COLUMN mental_health_records.counseling_notes IS 'PHI: counseling notes';
COMMENT ON COLUMN mental_health_records.plan IS 'PHI: plan';

COMMENT ON COLUMN treatment_plans.diagnosis IS 'PHI: diagnosis';
COMMENT ON COLUMN treatment_plans.goals IS 'PHI: goals of the treatment';
COMMENT ON COLUMN treatment_plans.interventions IS 'PHI: interventions';
COMMENT ON COLUMN treatment_plans.notes IS 'PHI: notes, free text';

COMMENT ON COLUMN appointments.reason IS 'PHI: reason, free text';
COMMENT ON COLUMN appointments.notes IS 'PHI: notes, free text';

COMMENT ON COLUMN appointment_reminders.recipient IS 'PHI: name or address of the recipient';
COMMENT ON COLUMN appointment_reminders.message IS 'PHI: text of the message';

COMMENT ON COLUMN appointment_waitlist.reason IS 'PHI: reason, free text';
COMMENT ON COLUMN appointment_waitlist.notes IS 'PHI: notes, free text';

COMMENT ON COLUMN incident_reports.description IS 'PHI: description, free text';
COMMENT ON COLUMN incident_reports.injuries IS 'PHI: injuries';
COMMENT ON COLUMN incident_reports.actions_taken IS 'PHI: what was done';
COMMENT ON COLUMN incident_reports.follow_up_notes IS 'PHI: what followed';

COMMENT ON COLUMN witness_statements.witness_name IS 'PHI: name of the witness';
COMMENT ON COLUMN witness_statements.witness_contact IS 'PHI: how to reach the witness';
COMMENT ON COLUMN witness_statements.statement IS 'PHI: the statement';

COMMENT ON COLUMN messages.subject IS 'PHI: subject, free text';
COMMENT ON COLUMN messages.body IS 'PHI: text of the message';

COMMENT ON COLUMN message_delivery.recipient_address IS 'PHI: address of the recipient';

COMMENT ON COLUMN push_notifications.title IS 'PHI: title, free text';
COMMENT ON COLUMN push_notifications.body IS 'PHI: text of the message';

COMMENT ON COLUMN alert_instances.title IS 'PHI: title, free text';
COMMENT ON COLUMN alert_instances.message IS 'PHI: text of the message';

COMMENT ON COLUMN alert_delivery_log.recipient IS 'PHI: name or address of the recipient';

COMMENT ON COLUMN phi_disclosures.recipient_name IS 'PHI: name of the recipient';
COMMENT ON COLUMN phi_disclosures.recipient_address IS 'PHI: address of the recipient';
COMMENT ON COLUMN phi_disclosures.information_disclosed IS 'PHI: what was disclosed';
COMMENT ON COLUMN phi_disclosures.purpose_detail IS 'PHI: why it was disclosed';
COMMENT ON COLUMN phi_disclosures.notes IS 'PHI: notes, free text';

COMMENT ON COLUMN consent_signatures.signer_name IS 'PHI: who signed';
COMMENT ON COLUMN consent_signatures.relationship IS 'PHI: the signer''s relationship to the student';
COMMENT ON COLUMN consent_signatures.signature IS 'PHI: the signature';

COMMENT ON COLUMN report_instances.parameters IS 'PHI: parameters, which may name students';
COMMENT ON COLUMN report_instances.file_name IS 'PHI: name of the file, which may name a student';

COMMENT ON COLUMN sync_queue_items.payload IS 'PHI: the change, with its values';

COMMENT ON COLUMN sync_conflicts.local_value IS 'PHI: value here';
COMMENT ON COLUMN sync_conflicts.remote_value IS 'PHI: value there';

COMMENT ON COLUMN sis_sync_conflicts.local_value IS 'PHI: value here';
COMMENT ON COLUMN sis_sync_conflicts.sis_value IS 'PHI: value in the student information system';

COMMENT ON COLUMN sis_sync_errors.source_record IS 'PHI: record as it came';
COMMENT ON COLUMN sis_sync_errors.detail IS 'PHI: what was wrong, with values';

COMMENT ON COLUMN registry_submissions.hl7_message IS 'PHI: the HL7 message';
COMMENT ON COLUMN registry_submissions.response IS 'PHI: answer of the registry';

COMMENT ON COLUMN follow_up_actions.description IS 'PHI: description, free text';
COMMENT ON COLUMN follow_up_actions.notes IS 'PHI: notes, free text';

COMMENT ON COLUMN follow_up_appointments.reason IS 'PHI: reason, free text';
COMMENT ON COLUMN follow_up_appointments.notes IS 'PHI: notes, free text';

COMMENT ON COLUMN academic_transcripts.grades IS 'PHI: grades';
COMMENT ON COLUMN academic_transcripts.gpa IS 'PHI: grade point average';
COMMENT ON COLUMN academic_transcripts.attendance IS 'PHI: attendance';
COMMENT ON COLUMN academic_transcripts.notes IS 'PHI: notes, free text';

COMMENT ON COLUMN symptom_tracking.symptoms IS 'PHI: symptoms';
COMMENT ON COLUMN symptom_tracking.temperature_c IS 'PHI: body temperature';
COMMENT ON COLUMN symptom_tracking.notes IS 'PHI: notes, free text';

COMMENT ON COLUMN outbreak_case_clusters.location IS 'PHI: where; few cases at one place may point to a person';
COMMENT ON COLUMN outbreak_case_clusters.notes IS 'PHI: notes, free text';

COMMENT ON COLUMN immunization_reminders.recipient IS 'PHI: name or address of the recipient';
COMMENT ON COLUMN immunization_reminders.message IS 'PHI: text of the message';

COMMENT ON COLUMN medicaid_eligibility.medicaid_id IS 'PHI: Medicaid number';
COMMENT ON COLUMN medicaid_eligibility.payer_response IS 'PHI: answer of the payer';

COMMENT ON COLUMN billing_claims.claim_number IS 'PHI: number of the claim';
COMMENT ON COLUMN billing_claims.diagnosis_codes IS 'PHI: diagnoses as ICD-10 codes';
COMMENT ON COLUMN billing_claims.procedure_codes IS 'PHI: procedures as CPT or HCPCS codes';
COMMENT ON COLUMN billing_claims.payer_response IS 'PHI: answer of the payer';

COMMENT ON COLUMN documents.file_name IS 'PHI: name of the file, which may name a student';
COMMENT ON COLUMN documents.description IS 'PHI: description, free text';
COMMENT ON COLUMN documents.content IS 'PHI: the document';

COMMENT ON COLUMN shared_documents.recipient_email IS 'PHI: e-mail address of the recipient';

INSERT INTO audit_logs (action, entity_type, description, performed_by) VALUES
    ('MARK_PHI', 'schema', '170 PHI columns of 49 tables marked by their comments', 'SYSTEM_MIGRATION');

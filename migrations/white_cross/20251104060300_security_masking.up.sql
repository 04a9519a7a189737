-- 20251104060300_security_masking
-- Purpose: eight views for roles that do not read PHI: each row of the school, with its PHI columns masked.
-- HIPAA: minimum necessary (45 CFR 164.502(b)). Masked is not de-identified: ids, dates and grades stay, which
--     45 CFR 164.514(b) counts as identifiers.
-- Depends on: all schema migrations, 060100_security_context.

-- A masked column is a constant of the same name: the view reads no PHI, so the columns can be sealed, in place
-- too, emptied and dropped, and a mask does not tell whether there is a value. Masked like PHI is what would give a
-- masked value away: drug_id, cvx_code, provider_npi.
--
-- The views read with their owner's rights, past the policies, so each limits itself to the schools in reach.
-- The function in FROM also makes them read-only: a view of one table alone could be written through, past the
-- policies. Deleted and confidential rows are left out.

CREATE VIEW students_masked WITH (security_barrier = true) AS
SELECT t.id, t.school_id, t.district_id, t.nurse_id, '***'::text AS student_number,
       '***'::text AS first_name, '***'::text AS last_name, NULL::date AS date_of_birth, t.grade, t.gender,
       '***'::text AS photo, '***'::text AS medical_record_number, '***'::text AS ssn, t.is_active,
       t.enrolled_on, t.created_by, t.updated_by, t.created_at, t.updated_at, t.deleted_at
  FROM app_school_ids() AS reach (school_id)
  JOIN students AS t ON t.school_id = reach.school_id
 WHERE t.deleted_at IS NULL;
COMMENT ON VIEW students_masked IS 'Students, PHI masked, of the schools in reach.';

CREATE VIEW emergency_contacts_masked WITH (security_barrier = true) AS
SELECT t.id, t.student_id, '***'::text AS first_name, '***'::text AS last_name, t.relationship,
       '***'::text AS phone, '***'::text AS alternate_phone, '***'::text AS email, '***'::text AS address,
       t.authorization_level, t.is_primary, t.priority, t.is_active, t.created_by, t.updated_by,
       t.created_at, t.updated_at, t.deleted_at
  FROM app_school_ids() AS reach (school_id)
  JOIN students AS s ON s.school_id = reach.school_id
  JOIN emergency_contacts AS t ON t.student_id = s.id
 WHERE s.deleted_at IS NULL AND t.deleted_at IS NULL;
COMMENT ON VIEW emergency_contacts_masked IS 'Emergency contacts, PHI masked, of the schools in reach.';

CREATE VIEW health_records_masked WITH (security_barrier = true) AS
SELECT t.id, t.student_id, t.record_type, t.record_date, '***'::text AS title, '***'::text AS description,
       '***'::text AS provider_name, '***'::text AS provider_npi, t.facility_name, t.facility_npi,
       '***'::text AS diagnosis, '***'::text AS diagnosis_code, '***'::text AS treatment,
       t.follow_up_required, t.follow_up_date, t.follow_up_status, t.follow_up_completed, t.is_confidential,
       NULL::jsonb AS attachments, t.metadata, '***'::text AS notes, t.created_by, t.updated_by,
       t.created_at, t.updated_at, t.deleted_at
  FROM app_school_ids() AS reach (school_id)
  JOIN students AS s ON s.school_id = reach.school_id
  JOIN health_records AS t ON t.student_id = s.id
 WHERE s.deleted_at IS NULL AND t.deleted_at IS NULL AND NOT t.is_confidential;
COMMENT ON VIEW health_records_masked IS 'Health records, PHI masked, of the schools in reach.';

CREATE VIEW allergies_masked WITH (security_barrier = true) AS
SELECT t.id, t.student_id, t.health_record_id, t.verified_by, t.allergy_type, t.severity,
       '***'::text AS allergen, '***'::text AS reactions, '***'::text AS treatment,
       '***'::text AS emergency_protocol, '***'::text AS notes, t.epipen_required, t.epipen_location,
       t.epipen_expires_on, t.verified_at, t.is_active, t.created_by, t.updated_by, t.created_at,
       t.updated_at, t.deleted_at
  FROM app_school_ids() AS reach (school_id)
  JOIN students AS s ON s.school_id = reach.school_id
  JOIN allergies AS t ON t.student_id = s.id
 WHERE s.deleted_at IS NULL AND t.deleted_at IS NULL;
COMMENT ON VIEW allergies_masked IS 'Allergies, PHI masked, of the schools in reach.';

CREATE VIEW vaccinations_masked WITH (security_barrier = true) AS
SELECT t.id, t.student_id, t.health_record_id, t.administered_by, t.vaccine_type, '***'::text AS cvx_code,
       '***'::text AS vaccine_name, t.dose_number, t.total_doses, t.administered_on, t.site, t.route,
       '***'::text AS lot_number, t.lot_expires_on, t.compliance_status, t.next_due_on, t.vfc_eligible,
       t.vis_given_on, t.vis_edition_on, '***'::text AS adverse_reaction, '***'::text AS notes,
       t.created_by, t.updated_by, t.created_at, t.updated_at, t.deleted_at
  FROM app_school_ids() AS reach (school_id)
  JOIN students AS s ON s.school_id = reach.school_id
  JOIN vaccinations AS t ON t.student_id = s.id
 WHERE s.deleted_at IS NULL AND t.deleted_at IS NULL;
COMMENT ON VIEW vaccinations_masked IS 'Vaccinations, PHI masked, of the schools in reach.';

CREATE VIEW prescriptions_masked WITH (security_barrier = true) AS
SELECT t.id, t.student_id, t.visit_id, NULL::uuid AS drug_id, t.status, '***'::text AS drug_name,
       '***'::text AS strength, '***'::text AS dosage, '***'::text AS instructions, t.quantity, t.refills,
       '***'::text AS prescriber_name, '***'::text AS pharmacy, '***'::text AS rx_number, t.prescribed_on,
       t.expires_on, t.created_by, t.updated_by, t.created_at, t.updated_at, t.deleted_at
  FROM app_school_ids() AS reach (school_id)
  JOIN students AS s ON s.school_id = reach.school_id
  JOIN prescriptions AS t ON t.student_id = s.id
 WHERE s.deleted_at IS NULL AND t.deleted_at IS NULL;
COMMENT ON VIEW prescriptions_masked IS 'Prescriptions, PHI masked, of the schools in reach.';

CREATE VIEW clinic_visits_masked WITH (security_barrier = true) AS
SELECT t.id, t.student_id, t.school_id, t.nurse_id, t.checked_in_at, t.checked_out_at,
       t.class_minutes_missed, t.disposition, '***'::text AS reason, NULL::text[] AS symptoms,
       '***'::text AS assessment, '***'::text AS treatment, '***'::text AS notes, t.guardian_notified,
       t.created_by, t.updated_by, t.created_at, t.updated_at, t.deleted_at
  FROM app_school_ids() AS reach (school_id)
  JOIN students AS s ON s.school_id = reach.school_id
  JOIN clinic_visits AS t ON t.student_id = s.id
 WHERE s.deleted_at IS NULL AND t.deleted_at IS NULL;
COMMENT ON VIEW clinic_visits_masked IS 'Clinic visits, PHI masked, of the schools in reach.';

-- Whose it is is masked too, and VIEWER does not see that there is one.

CREATE VIEW mental_health_records_masked WITH (security_barrier = true) AS
SELECT t.id, NULL::uuid AS student_id, t.counselor_id, t.record_type, t.recorded_at,
       '***'::text AS presenting_problem, '***'::text AS assessment, '***'::text AS risk,
       '***'::text AS counseling_notes, '***'::text AS plan, t.next_session_on, t.is_confidential,
       t.created_by, t.updated_by, t.created_at, t.updated_at, t.deleted_at
  FROM app_school_ids() AS reach (school_id)
  JOIN students AS s ON s.school_id = reach.school_id
  JOIN mental_health_records AS t ON t.student_id = s.id
 WHERE s.deleted_at IS NULL AND t.deleted_at IS NULL AND (SELECT app_can_see_phi());
COMMENT ON VIEW mental_health_records_masked IS 'Mental health records of the schools in reach; PHI is masked, and whose they are. Not for VIEWER.';

-- 20251104040100_data_reference
-- Purpose: how long tables are kept, and the vaccines with their CVX codes.
-- HIPAA: disclosures six years, audit logs seven, sessions one, health records as state law says.
-- Depends on: 011300_schema_compliance, 012800_schema_immunization_dashboard,
--     020500_constraints_checks_and_uniques.
-- Rows: 29 in data_retention_policies, 20 in vaccination_schedules.
-- Duration: under a second.

-- The ids are made from the rows' names, so that the way back finds these rows and no others.

INSERT INTO data_retention_policies (id, table_name, retain_years, action, counted_from, legal_basis)
SELECT encode(substring(sha256(convert_to('data_retention_policies:' || r.table_name, 'UTF8')) FOR 16), 'hex')::uuid,
       r.table_name, r.retain_years, r.action::retention_action, r.counted_from, r.legal_basis
FROM (VALUES
    ('phi_disclosures',          6, 'RETAIN',  'disclosed_at',  '45 CFR 164.528(a): accounting of the last six years'),
    ('phi_disclosure_audits',    6, 'RETAIN',  'created_at',    '45 CFR 164.316(b)(2)(i)'),
    ('audit_logs',               7, 'RETAIN',  'created_at',    '45 CFR 164.312(b) with 164.316(b)(2)(i), and a year more by own rule'),
    ('document_access_log',      7, 'RETAIN',  'accessed_at',   'as the audit log'),
    ('configuration_history',    6, 'RETAIN',  'created_at',    '45 CFR 164.316(b)(2)(i)'),
    ('tamper_alerts',            6, 'RETAIN',  'detected_at',   '45 CFR 164.316(b)(2)(i)'),
    ('policy_documents',         6, 'ARCHIVE', 'updated_at',    '45 CFR 164.316(b)(2)(i): from when it was last in effect'),
    ('consent_signatures',       6, 'RETAIN',  'signed_at',     '45 CFR 164.508(b)(6) with 164.530(j)'),
    ('compliance_violations',    6, 'RETAIN',  'discovered_at', '45 CFR 164.414 with 164.530(j)'),
    ('sessions',                 1, 'DESTROY', 'expires_at',    'own rule'),
    ('health_records',        NULL, 'RETAIN',  'created_at',    'state law'),
    ('allergies',             NULL, 'RETAIN',  'created_at',    'state law'),
    ('chronic_conditions',    NULL, 'RETAIN',  'created_at',    'state law'),
    ('vaccinations',          NULL, 'RETAIN',  'created_at',    'state law'),
    ('immunizations',         NULL, 'RETAIN',  'created_at',    'state law'),
    ('screenings',            NULL, 'RETAIN',  'created_at',    'state law'),
    ('growth_measurements',   NULL, 'RETAIN',  'created_at',    'state law'),
    ('vital_signs',           NULL, 'RETAIN',  'created_at',    'state law'),
    ('student_medications',   NULL, 'RETAIN',  'created_at',    'state law'),
    ('medication_logs',       NULL, 'RETAIN',  'created_at',    'state law'),
    ('prescriptions',         NULL, 'RETAIN',  'created_at',    'state law'),
    ('clinic_visits',         NULL, 'RETAIN',  'created_at',    'state law'),
    ('clinical_notes',        NULL, 'RETAIN',  'created_at',    'state law'),
    ('lab_results',           NULL, 'RETAIN',  'created_at',    'state law'),
    ('medical_history',       NULL, 'RETAIN',  'created_at',    'state law'),
    ('mental_health_records', NULL, 'RETAIN',  'created_at',    'state law'),
    ('treatment_plans',       NULL, 'RETAIN',  'created_at',    'state law'),
    ('incident_reports',      NULL, 'RETAIN',  'created_at',    'state law'),
    ('academic_transcripts',  NULL, 'RETAIN',  'created_at',    'state law')
) AS r (table_name, retain_years, action, counted_from, legal_basis);

-- The first dose of each vaccine, under the CVX code of its unspecified formulation where there is one.
-- Ages and intervals are the district's to enter: they change, and states differ.
INSERT INTO vaccination_schedules (id, vaccine_type, cvx_code, dose_number, description)
SELECT encode(substring(sha256(convert_to('vaccination_schedules:' || v.cvx_code, 'UTF8')) FOR 16), 'hex')::uuid,
       v.vaccine_type::vaccine_type, v.cvx_code, 1, v.description
FROM (VALUES
    ('DTAP',        '107', 'DTaP, unspecified formulation'),
    ('TDAP',        '115', 'Tdap'),
    ('TD',          '139', 'Td, unspecified formulation'),
    ('POLIO',       '89',  'Polio, unspecified formulation'),
    ('MMR',         '03',  'Measles, mumps, rubella'),
    ('MMRV',        '94',  'Measles, mumps, rubella, varicella'),
    ('VARICELLA',   '21',  'Varicella'),
    ('HEPATITIS_A', '85',  'Hepatitis A, unspecified formulation'),
    ('HEPATITIS_B', '45',  'Hepatitis B, unspecified formulation'),
    ('HIB',         '17',  'Haemophilus influenzae type b, unspecified formulation'),
    ('PCV',         '152', 'Pneumococcal conjugate, unspecified formulation'),
    ('PPSV23',      '33',  'Pneumococcal polysaccharide, 23 types'),
    ('ROTAVIRUS',   '122', 'Rotavirus, unspecified formulation'),
    ('MENACWY',     '108', 'Meningococcal ACWY, unspecified formulation'),
    ('MENB',        '164', 'Meningococcal B, unspecified formulation'),
    ('HPV',         '137', 'Human papillomavirus, unspecified formulation'),
    ('INFLUENZA',   '88',  'Influenza, unspecified formulation'),
    ('COVID_19',    '213', 'COVID-19, unspecified formulation'),
    ('RSV',         '304', 'Respiratory syncytial virus, unspecified formulation'),
    ('OTHER',       '999', 'Another or unknown vaccine')
) AS v (vaccine_type, cvx_code, description);

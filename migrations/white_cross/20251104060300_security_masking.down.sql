-- Undoes 20251104060300_security_masking.

DROP VIEW mental_health_records_masked;
DROP VIEW clinic_visits_masked;
DROP VIEW prescriptions_masked;
DROP VIEW vaccinations_masked;
DROP VIEW allergies_masked;
DROP VIEW health_records_masked;
DROP VIEW emergency_contacts_masked;
DROP VIEW students_masked;

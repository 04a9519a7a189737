-- Undoes 20251104010400_schema_health_records_complete.

DROP TABLE vital_signs;
DROP TABLE growth_measurements;
DROP TABLE screenings;
DROP TABLE immunizations;
DROP TABLE vaccinations;

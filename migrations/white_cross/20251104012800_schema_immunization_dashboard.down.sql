-- Undoes 20251104012800_schema_immunization_dashboard.

DROP TABLE immunization_reminders;
DROP TABLE vaccination_schedules;

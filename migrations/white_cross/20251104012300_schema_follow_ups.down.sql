-- Undoes 20251104012300_schema_follow_ups.

DROP TABLE follow_up_appointments;
DROP TABLE follow_up_actions;

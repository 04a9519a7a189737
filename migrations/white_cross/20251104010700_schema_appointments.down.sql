-- Undoes 20251104010700_schema_appointments.

DROP TABLE appointment_waitlist;
DROP TABLE appointment_reminders;
DROP TABLE appointments;

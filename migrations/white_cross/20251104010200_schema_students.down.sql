-- Undoes 20251104010200_schema_students.

DROP TABLE contacts;
DROP TABLE emergency_contacts;
DROP TABLE students;

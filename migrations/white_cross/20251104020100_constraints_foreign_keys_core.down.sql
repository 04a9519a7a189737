-- Undoes 20251104020100_constraints_foreign_keys_core.

ALTER TABLE contacts
    DROP CONSTRAINT contacts_school_id_fkey,
    DROP CONSTRAINT contacts_student_id_fkey;

ALTER TABLE emergency_contacts
    DROP CONSTRAINT emergency_contacts_student_id_fkey;

ALTER TABLE students
    DROP CONSTRAINT students_nurse_id_fkey,
    DROP CONSTRAINT students_district_id_fkey,
    DROP CONSTRAINT students_school_id_fkey;

ALTER TABLE sessions
    DROP CONSTRAINT sessions_user_id_fkey;

ALTER TABLE users
    DROP CONSTRAINT users_district_id_fkey,
    DROP CONSTRAINT users_school_id_fkey;

ALTER TABLE schools
    DROP CONSTRAINT schools_district_id_fkey;

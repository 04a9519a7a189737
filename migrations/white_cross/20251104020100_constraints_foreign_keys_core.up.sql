-- 20251104020100_constraints_foreign_keys_core
-- Purpose: 10 foreign keys: districts, schools, users, sessions, students and the people around
--     them.
-- HIPAA: deleting a student deletes the record, unless disclosures, consents or claims must be
--     kept.
-- Depends on: all schema migrations.

ALTER TABLE schools
    ADD CONSTRAINT schools_district_id_fkey
        FOREIGN KEY (district_id) REFERENCES districts (id) ON UPDATE CASCADE ON DELETE CASCADE;

ALTER TABLE users
    ADD CONSTRAINT users_school_id_fkey
        FOREIGN KEY (school_id) REFERENCES schools (id) ON UPDATE CASCADE ON DELETE SET NULL,
    ADD CONSTRAINT users_district_id_fkey
        FOREIGN KEY (district_id) REFERENCES districts (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE sessions
    ADD CONSTRAINT sessions_user_id_fkey
        FOREIGN KEY (user_id) REFERENCES users (id) ON UPDATE CASCADE ON DELETE CASCADE;

ALTER TABLE students
    ADD CONSTRAINT students_school_id_fkey
        FOREIGN KEY (school_id) REFERENCES schools (id) ON UPDATE CASCADE ON DELETE CASCADE,
    ADD CONSTRAINT students_district_id_fkey
        FOREIGN KEY (district_id) REFERENCES districts (id) ON UPDATE CASCADE ON DELETE CASCADE,
    ADD CONSTRAINT students_nurse_id_fkey
        FOREIGN KEY (nurse_id) REFERENCES users (id) ON UPDATE CASCADE ON DELETE SET NULL;

ALTER TABLE emergency_contacts
    ADD CONSTRAINT emergency_contacts_student_id_fkey
        FOREIGN KEY (student_id) REFERENCES students (id) ON DELETE CASCADE;

ALTER TABLE contacts
    ADD CONSTRAINT contacts_student_id_fkey
        FOREIGN KEY (student_id) REFERENCES students (id) ON DELETE CASCADE,
    ADD CONSTRAINT contacts_school_id_fkey
        FOREIGN KEY (school_id) REFERENCES schools (id) ON UPDATE CASCADE ON DELETE SET NULL;

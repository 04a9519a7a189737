-- 20240115143000 create_users_table
-- Purpose: the tables users and user_audit_log: who signs in, and what was changed about them.
-- HIPAA: unique user identification, audit controls (45 CFR 164.312(a)(2)(i), 164.312(b)). E-mail, names,
--   telephone and date of birth are identifiers (45 CFR 164.514(b)(2)).
-- Depends on: nothing

BEGIN;

-- A table that is there already is taken as it is, and stays on the way back.
SELECT set_config('webqx.users', (to_regclass(format('%I.users', current_schema())) IS NULL)::text, true),
       set_config('webqx.user_audit_log',
           (to_regclass(format('%I.user_audit_log', current_schema())) IS NULL)::text, true);

CREATE TABLE IF NOT EXISTS users (
    id             serial       PRIMARY KEY,
    email          varchar(255) UNIQUE NOT NULL,
    password_hash  varchar(255) NOT NULL,
    role           varchar(50)  NOT NULL DEFAULT 'patient',
    first_name     varchar(100),
    last_name      varchar(100),
    phone          varchar(20),
    date_of_birth  date,
    created_at     timestamp    DEFAULT CURRENT_TIMESTAMP,
    updated_at     timestamp    DEFAULT CURRENT_TIMESTAMP,
    last_login     timestamp,
    is_active      boolean      DEFAULT true,
    email_verified boolean      DEFAULT false
);

-- Without IF NOT EXISTS: where these are there, the migration was run, and is not run again.
-- The first has the columns of the UNIQUE constraint's own index.
CREATE INDEX idx_users_email ON users (email);
CREATE INDEX idx_users_role ON users (role);
CREATE INDEX idx_users_active ON users (is_active);

CREATE TABLE IF NOT EXISTS user_audit_log (
    id             serial      PRIMARY KEY,
    user_id        integer     REFERENCES users (id),
    action         varchar(50) NOT NULL,
    changed_fields jsonb,
    changed_by     integer     REFERENCES users (id),
    ip_address     inet,
    user_agent     text,
    created_at     timestamp   DEFAULT CURRENT_TIMESTAMP
);

CREATE INDEX idx_user_audit_log_user ON user_audit_log (user_id, created_at);
CREATE INDEX idx_user_audit_log_changed_by ON user_audit_log (changed_by, created_at);

-- By these comments the way back knows the tables it may drop.
DO $$
BEGIN
    IF current_setting('webqx.users')::boolean THEN
        COMMENT ON TABLE users IS 'Who signs in: patients, providers and administrators. Made by phiseal.';
    END IF;
    IF current_setting('webqx.user_audit_log')::boolean THEN
        COMMENT ON TABLE user_audit_log IS 'What was changed about users, by whom. Made by phiseal.';
    END IF;
END $$;

COMMENT ON COLUMN users.role IS 'patient, provider or admin; another role sees no row.';
COMMENT ON COLUMN users.email IS 'PHI: e-mail address';
COMMENT ON COLUMN users.first_name IS 'PHI: given name';
COMMENT ON COLUMN users.last_name IS 'PHI: family name';
COMMENT ON COLUMN users.phone IS 'PHI: telephone number';
COMMENT ON COLUMN users.date_of_birth IS 'PHI: date of birth';
COMMENT ON COLUMN user_audit_log.changed_fields IS 'Names of the fields, never their values.';

COMMIT;

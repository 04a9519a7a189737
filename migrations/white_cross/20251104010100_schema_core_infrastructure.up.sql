-- 20251104010100_schema_core_infrastructure
-- Purpose: districts, schools, users and their sessions.
-- HIPAA: no PHI.
-- Depends on: 000100_enums_core. Foreign keys come later, when all tables are there.

CREATE TABLE districts (
    id          uuid          NOT NULL DEFAULT gen_random_uuid(),
    name        varchar(200)  NOT NULL,
    code        varchar(50)   NOT NULL,
    state       varchar(2),
    is_active   boolean       NOT NULL DEFAULT true,
    created_at  timestamptz   NOT NULL DEFAULT now(),
    updated_at  timestamptz   NOT NULL DEFAULT now(),
    CONSTRAINT districts_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE districts IS
    'A school district: the tenant under which all schools, staff and students stand.';

CREATE TABLE schools (
    id                uuid          NOT NULL DEFAULT gen_random_uuid(),
    district_id       uuid          NOT NULL,
    name              varchar(200)  NOT NULL,
    code              varchar(50)   NOT NULL,
    address           text,
    city              varchar(100),
    state             varchar(2),
    zip_code          varchar(10),
    phone             varchar(20),
    email             varchar(255),
    principal         varchar(200),
    total_enrollment  integer,
    is_active         boolean       NOT NULL DEFAULT true,
    created_at        timestamptz   NOT NULL DEFAULT now(),
    updated_at        timestamptz   NOT NULL DEFAULT now(),
    CONSTRAINT schools_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE schools IS
    'A school of a district. Deleted together with its district, unless records that must be '
    'kept stand in the way.';

CREATE TABLE users (
    id                          uuid          NOT NULL DEFAULT gen_random_uuid(),
    school_id                   uuid,
    district_id                 uuid,
    email                       varchar(255)  NOT NULL,
    password                    varchar(255)  NOT NULL,
    first_name                  varchar(100)  NOT NULL,
    last_name                   varchar(100)  NOT NULL,
    role                        user_role     NOT NULL DEFAULT 'NURSE',
    is_active                   boolean       NOT NULL DEFAULT true,
    last_login                  timestamptz,
    phone                       varchar(20),
    email_verified              boolean       NOT NULL DEFAULT false,
    email_verification_token    varchar(255),
    email_verification_expires  timestamptz,
    password_reset_token        varchar(255),
    password_reset_expires      timestamptz,
    password_changed_at         timestamptz,
    two_factor_enabled          boolean       NOT NULL DEFAULT false,
    two_factor_secret           varchar(255),
    failed_login_attempts       integer       NOT NULL DEFAULT 0,
    lockout_until               timestamptz,
    last_password_change        timestamptz,
    must_change_password        boolean       NOT NULL DEFAULT false,
    created_at                  timestamptz   NOT NULL DEFAULT now(),
    updated_at                  timestamptz   NOT NULL DEFAULT now(),
    CONSTRAINT users_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE users IS
    'Staff who sign in: nurses, counselors, administrators. Holds no PHI; its tokens and '
    'secrets are hashed or sealed by the application.';
COMMENT ON COLUMN users.password IS 'Hash of the password, never the password.';
COMMENT ON COLUMN users.email_verification_token IS 'Secret.';
COMMENT ON COLUMN users.password_reset_token IS 'Secret.';
COMMENT ON COLUMN users.password_changed_at IS
    'When the user or an administrator last set the password.';
COMMENT ON COLUMN users.two_factor_secret IS 'Secret.';
COMMENT ON COLUMN users.last_password_change IS 'When the password policy last counted a change.';

CREATE TABLE sessions (
    id          uuid         NOT NULL DEFAULT gen_random_uuid(),
    user_id     uuid         NOT NULL,
    token_hash  bytea        NOT NULL,
    ip_address  inet,
    user_agent  text,
    expires_at  timestamptz  NOT NULL,
    revoked_at  timestamptz,
    created_at  timestamptz  NOT NULL DEFAULT now(),
    updated_at  timestamptz  NOT NULL DEFAULT now(),
    CONSTRAINT sessions_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE sessions IS
    'A signed-in session of a user. Ended ones are destroyed after a year.';
COMMENT ON COLUMN sessions.token_hash IS
    'SHA-256 of the session token; the token itself is not stored.';

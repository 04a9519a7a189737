-- 1754250021000 create_user
-- Purpose: the type user_role_enum and the table user: who signs in, by SuperTokens, and in what role.
-- HIPAA: unique user identification and roles (45 CFR 164.312(a)(2)(i), 164.308(a)(4)).
-- Depends on: 1754250020000 create_tenant

-- A type that is there is met if its labels are these, in this order.
DO $$
DECLARE
    labels text[] := ARRAY['PLATFORM_ADMIN', 'TENANT_ADMIN', 'FACILITY_MANAGER', 'STAFF', 'VIEWER'];
    met oid;
BEGIN
    SELECT t.oid INTO met FROM pg_catalog.pg_type t
    WHERE t.typname = 'user_role_enum' AND t.typnamespace = current_schema()::regnamespace;
    IF met IS NULL THEN
        EXECUTE format('CREATE TYPE user_role_enum AS ENUM (%s)',
            (SELECT string_agg(quote_literal(label), ', ' ORDER BY place)
             FROM unnest(labels) WITH ORDINALITY l (label, place)));
        COMMENT ON TYPE user_role_enum IS 'phiseal: {"made": true}';
    ELSIF labels IS DISTINCT FROM (
        SELECT array_agg(e.enumlabel::text ORDER BY e.enumsortorder)
        FROM pg_catalog.pg_enum e WHERE e.enumtypid = met) THEN
        RAISE EXCEPTION USING ERRCODE = 'duplicate_object',
            MESSAGE = 'the type user_role_enum is there already, with other labels',
            HINT = format('give it these, in this order: %s', array_to_string(labels, ', '));
    END IF;
END $$;

SELECT facility_migration_begin('user');

CREATE TABLE IF NOT EXISTS "user" (id uuid CONSTRAINT user_pkey PRIMARY KEY);

ALTER TABLE "user"
    ADD COLUMN IF NOT EXISTS tenant_id           uuid,
    ADD COLUMN IF NOT EXISTS supertokens_user_id text,
    ADD COLUMN IF NOT EXISTS email               text,
    ADD COLUMN IF NOT EXISTS first_name          text,
    ADD COLUMN IF NOT EXISTS last_name           text,
    ADD COLUMN IF NOT EXISTS role                user_role_enum NOT NULL DEFAULT 'VIEWER',
    ADD COLUMN IF NOT EXISTS is_active           boolean        NOT NULL DEFAULT true,
    ADD COLUMN IF NOT EXISTS created_at          timestamptz    NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS updated_at          timestamptz    NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS deleted_at          timestamptz;

SELECT facility_migration_require('user', 'tenant_id', 'email');
SELECT facility_migration_constrain('user', 'user_tenant_id_id_key', 'UNIQUE (tenant_id, id)');
SELECT facility_migration_constrain('user', 'user_supertokens_user_id_key', 'UNIQUE (supertokens_user_id)');
SELECT facility_migration_constrain('user', 'user_tenant_id_fkey',
    'FOREIGN KEY (tenant_id) REFERENCES tenant (id) ON DELETE RESTRICT');
SELECT facility_migration_constrain('user', 'user_email_check',
    'CHECK (email ~ ''^[^@[:space:]]+@[^@[:space:].]+([.][^@[:space:].]+)+$'')');

CREATE INDEX IF NOT EXISTS user_tenant_id_email_idx ON "user" (tenant_id, email) WHERE deleted_at IS NULL;
CREATE INDEX IF NOT EXISTS user_tenant_id_role_idx ON "user" (tenant_id, role)
    WHERE is_active AND deleted_at IS NULL;

COMMENT ON TABLE "user" IS 'Who works with the records of a tenant. Names and addresses of staff, not of clients.';
COMMENT ON COLUMN "user".supertokens_user_id IS 'The user as SuperTokens, which signs users in, knows them.';
COMMENT ON COLUMN "user".role IS 'PLATFORM_ADMIN belongs to the tenant that runs the platform.';

SELECT facility_migration_end('user');

-- 1754250024000 create_user_action_audit_log
-- Purpose: the table user_action_audit_log: what users did.
-- HIPAA: audit controls (45 CFR 164.312(b)). Names of fields and ids of rows only: a log that quotes
--   values is a second copy of them.
-- Depends on: 1754250021000 create_user

SELECT facility_migration_begin('user_action_audit_log');

CREATE TABLE IF NOT EXISTS user_action_audit_log (id uuid CONSTRAINT user_action_audit_log_pkey PRIMARY KEY);

ALTER TABLE user_action_audit_log
    ADD COLUMN IF NOT EXISTS tenant_id   uuid,
    ADD COLUMN IF NOT EXISTS user_id     uuid,
    ADD COLUMN IF NOT EXISTS action      text,
    ADD COLUMN IF NOT EXISTS entity_type text,
    ADD COLUMN IF NOT EXISTS entity_id   uuid,
    ADD COLUMN IF NOT EXISTS details     jsonb       NOT NULL DEFAULT '{}',
    ADD COLUMN IF NOT EXISTS ip_address  inet,
    ADD COLUMN IF NOT EXISTS user_agent  text,
    ADD COLUMN IF NOT EXISTS created_at  timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS updated_at  timestamptz NOT NULL DEFAULT now();

SELECT facility_migration_require('user_action_audit_log', 'tenant_id', 'user_id', 'action');
SELECT facility_migration_constrain('user_action_audit_log', 'user_action_audit_log_tenant_id_id_key',
    'UNIQUE (tenant_id, id)');
SELECT facility_migration_constrain('user_action_audit_log', 'user_action_audit_log_tenant_id_fkey',
    'FOREIGN KEY (tenant_id) REFERENCES tenant (id) ON DELETE RESTRICT');
SELECT facility_migration_constrain('user_action_audit_log', 'user_action_audit_log_user_id_fkey',
    'FOREIGN KEY (tenant_id, user_id) REFERENCES "user" (tenant_id, id) ON DELETE RESTRICT');

CREATE INDEX IF NOT EXISTS user_action_audit_log_tenant_id_user_id_idx
    ON user_action_audit_log (tenant_id, user_id, created_at);
CREATE INDEX IF NOT EXISTS user_action_audit_log_tenant_id_entity_idx
    ON user_action_audit_log (tenant_id, entity_type, entity_id, created_at);
CREATE INDEX IF NOT EXISTS user_action_audit_log_tenant_id_created_at_idx
    ON user_action_audit_log (tenant_id, created_at);
CREATE INDEX IF NOT EXISTS user_action_audit_log_details_idx
    ON user_action_audit_log USING gin (details jsonb_path_ops);

COMMENT ON TABLE user_action_audit_log IS 'What users did. Rows are added, never changed or deleted.';
COMMENT ON COLUMN user_action_audit_log.entity_type IS 'The table of what was acted on.';
COMMENT ON COLUMN user_action_audit_log.entity_id IS 'The id of what was acted on; it may be gone since.';
COMMENT ON COLUMN user_action_audit_log.details IS 'Names of fields and ids of rows, never values.';

SELECT facility_migration_end('user_action_audit_log');

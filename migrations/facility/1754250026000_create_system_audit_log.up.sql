-- 1754250026000 create_system_audit_log
-- Purpose: the table system_audit_log: what happened to the system, of one tenant or of none.
-- HIPAA: audit controls and security incidents (45 CFR 164.312(b), 164.308(a)(6)).
-- Depends on: 1754250021000 create_user

SELECT facility_migration_begin('system_audit_log');

CREATE TABLE IF NOT EXISTS system_audit_log (id uuid CONSTRAINT system_audit_log_pkey PRIMARY KEY);

ALTER TABLE system_audit_log
    ADD COLUMN IF NOT EXISTS tenant_id  uuid,
    ADD COLUMN IF NOT EXISTS user_id    uuid,
    ADD COLUMN IF NOT EXISTS event      text,
    ADD COLUMN IF NOT EXISTS severity   text        NOT NULL DEFAULT 'INFO',
    ADD COLUMN IF NOT EXISTS details    jsonb       NOT NULL DEFAULT '{}',
    ADD COLUMN IF NOT EXISTS created_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS updated_at timestamptz NOT NULL DEFAULT now();

SELECT facility_migration_require('system_audit_log', 'event');
SELECT facility_migration_constrain('system_audit_log', 'system_audit_log_tenant_id_id_key', 'UNIQUE (tenant_id, id)');
SELECT facility_migration_constrain('system_audit_log', 'system_audit_log_tenant_id_fkey',
    'FOREIGN KEY (tenant_id) REFERENCES tenant (id) ON DELETE RESTRICT');
SELECT facility_migration_constrain('system_audit_log', 'system_audit_log_user_id_fkey',
    'FOREIGN KEY (tenant_id, user_id) REFERENCES "user" (tenant_id, id) ON DELETE RESTRICT');
-- A key of two columns is not checked while one of them is NULL.
SELECT facility_migration_constrain('system_audit_log', 'system_audit_log_user_check',
    'CHECK (user_id IS NULL OR tenant_id IS NOT NULL)');
SELECT facility_migration_constrain('system_audit_log', 'system_audit_log_severity_check',
    'CHECK (severity IN (''INFO'', ''WARNING'', ''ERROR'', ''CRITICAL''))');

CREATE INDEX IF NOT EXISTS system_audit_log_tenant_id_user_id_idx
    ON system_audit_log (tenant_id, user_id, created_at);
CREATE INDEX IF NOT EXISTS system_audit_log_tenant_id_created_at_idx
    ON system_audit_log (tenant_id, created_at);
CREATE INDEX IF NOT EXISTS system_audit_log_severity_idx
    ON system_audit_log (severity, created_at) WHERE severity IN ('ERROR', 'CRITICAL');
CREATE INDEX IF NOT EXISTS system_audit_log_details_idx
    ON system_audit_log USING gin (details jsonb_path_ops);

COMMENT ON TABLE system_audit_log IS 'What happened to the system. Rows are added, never changed or deleted.';
COMMENT ON COLUMN system_audit_log.tenant_id IS 'NULL: of no tenant, and seen by none.';
COMMENT ON COLUMN system_audit_log.details IS 'Names and ids, never values.';

SELECT facility_migration_end('system_audit_log');

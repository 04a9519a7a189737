-- 1754250037000 isolate_tenants
-- Purpose: row-level security. A session sees and writes rows of the tenant that app.tenant_id names.
-- HIPAA: access control (45 CFR 164.312(a)(1)). Without a tenant, or with a malformed one, nothing is seen.
-- Depends on: the tables, 1754250020000 to 1754250034000

-- NULL unless the setting is a uuid, and NULL equals no tenant.
CREATE FUNCTION app_tenant_id() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
    SELECT CASE
        WHEN current_setting('app.tenant_id', true) ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'
        THEN current_setting('app.tenant_id', true)::uuid
    END
$$;
COMMENT ON FUNCTION app_tenant_id() IS 'The tenant that this session works for: SET LOCAL app.tenant_id = ''…''.';

-- Two policies a table, and a third on tenant. The restrictive one holds whatever policies others add. The
-- permissive one lets the tenant's rows through; a table with permissive policies of its own keeps to those.
-- Not FORCE: the owner, who also seals, sees all rows. Applications use a role that owns nothing.
DO $$
DECLARE
    isolated text;
    met regclass;
    enabled boolean;
    condition text;
BEGIN
    FOREACH isolated IN ARRAY ARRAY[
        'tenant', 'user', 'facility', 'client', 'user_action_audit_log', 'facility_staff', 'system_audit_log',
        'address', 'specialist', 'medication', 'placement_info', 'metadata', 'contributor',
        'form_field_contribution', 'placement_info_specialists']
    LOOP
        met := format('%I.%I', current_schema(), isolated)::regclass;
        SELECT c.relrowsecurity INTO enabled FROM pg_catalog.pg_class c WHERE c.oid = met;
        -- In a subquery it is called once a statement, not once a row.
        condition := format('%I = (SELECT app_tenant_id())',
            CASE isolated WHEN 'tenant' THEN 'id' ELSE 'tenant_id' END);
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_policy p WHERE p.polrelid = met AND p.polpermissive) THEN
            EXECUTE format('CREATE POLICY facility_tenant_access ON %s USING (%s) WITH CHECK (%2$s)', met, condition);
            EXECUTE format('COMMENT ON POLICY facility_tenant_access ON %s IS %L', met,
                facility_migration_mark(NULL, '{"added": true}'));
        END IF;
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_policy p
                       WHERE p.polrelid = met AND p.polname = 'facility_tenant_isolation') THEN
            EXECUTE format('CREATE POLICY facility_tenant_isolation ON %s AS RESTRICTIVE USING (%s) WITH CHECK (%2$s)',
                met, condition);
            EXECUTE format('COMMENT ON POLICY facility_tenant_isolation ON %s IS %L', met,
                facility_migration_mark(NULL, jsonb_build_object('added', true, 'row_security', enabled)));
        END IF;
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', met);
    END LOOP;
    -- Tenants are the owner's to make. A session that sets app.tenant_id to a new id would pass the two above.
    met := format('%I.tenant', current_schema())::regclass;
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_policy p
                   WHERE p.polrelid = met AND p.polname = 'facility_tenant_insert') THEN
        EXECUTE format('CREATE POLICY facility_tenant_insert ON %s AS RESTRICTIVE FOR INSERT WITH CHECK (false)',
            met);
        EXECUTE format('COMMENT ON POLICY facility_tenant_insert ON %s IS %L', met,
            facility_migration_mark(NULL, '{"added": true}'));
    END IF;
END $$;

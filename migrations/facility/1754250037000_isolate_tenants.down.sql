-- 1754250037000 isolate_tenants, undone

DO $$
DECLARE
    isolated text;
    met regclass;
    policy record;
BEGIN
    FOREACH isolated IN ARRAY ARRAY[
        'tenant', 'user', 'facility', 'client', 'user_action_audit_log', 'facility_staff', 'system_audit_log',
        'address', 'specialist', 'medication', 'placement_info', 'metadata', 'contributor',
        'form_field_contribution', 'placement_info_specialists']
    LOOP
        met := to_regclass(format('%I.%I', current_schema(), isolated));
        FOR policy IN
            SELECT p.polname AS name, facility_migration_marked(obj_description(p.oid, 'pg_policy')) AS mark
            FROM pg_catalog.pg_policy p WHERE p.polrelid = met
        LOOP
            IF policy.mark ->> 'row_security' = 'false' THEN
                EXECUTE format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY', met);
            END IF;
            IF policy.mark ? 'added' THEN
                EXECUTE format('DROP POLICY %I ON %s', policy.name, met);
            END IF;
        END LOOP;
    END LOOP;
END $$;

DROP FUNCTION app_tenant_id();

-- 20251104060100_security_context
-- Purpose: who a transaction acts for, as the policies read it: four settings, app.user_id, app.user_role,
--     app.school_id and app.district_id, set by the application with SET LOCAL.
-- HIPAA: access control (45 CFR 164.312(a)), minimum necessary (45 CFR 164.502(b)). A setting that is missing
--     or malformed counts as none, and none sees nothing.
-- Depends on: 010100_schema_core_infrastructure, 010900_schema_messaging.

CREATE FUNCTION app_setting_id(p_name text) RETURNS uuid
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
DECLARE
    setting text := lower(current_setting(p_name, true));
BEGIN
    IF setting ~ '^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$' THEN
        RETURN setting::uuid;
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION app_setting_id(text) IS 'A setting that is an id; NULL if it is missing or no id.';

CREATE FUNCTION app_user_id() RETURNS uuid
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
BEGIN
    RETURN app_setting_id('app.user_id');
END $$;
COMMENT ON FUNCTION app_user_id() IS 'The user of app.user_id, or NULL.';

CREATE FUNCTION app_school_id() RETURNS uuid
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
BEGIN
    RETURN app_setting_id('app.school_id');
END $$;
COMMENT ON FUNCTION app_school_id() IS 'The school of app.school_id, or NULL.';

CREATE FUNCTION app_district_id() RETURNS uuid
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
BEGIN
    RETURN app_setting_id('app.district_id');
END $$;
COMMENT ON FUNCTION app_district_id() IS 'The district of app.district_id, or NULL.';

-- A role is somebody's: without a user there is none.
CREATE FUNCTION app_user_role() RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
DECLARE
    setting text := current_setting('app.user_role', true);
BEGIN
    IF app_user_id() IS NOT NULL AND setting = ANY (enum_range(NULL::user_role)::text[]) THEN
        RETURN setting;
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION app_user_role() IS 'The role of app.user_role, a label of user_role; NULL without one, or without a user.';

CREATE FUNCTION app_has_role(VARIADIC p_roles text[]) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
BEGIN
    RETURN coalesce(app_user_role() = ANY (p_roles), false);
END $$;
COMMENT ON FUNCTION app_has_role(text[]) IS 'Whether the role is one of these.';

CREATE FUNCTION app_can_see_phi() RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
BEGIN
    RETURN app_has_role('ADMIN', 'DISTRICT_ADMIN', 'SCHOOL_ADMIN', 'NURSE', 'COUNSELOR');
END $$;
COMMENT ON FUNCTION app_can_see_phi() IS 'Whether the role reads PHI at all: every role but VIEWER.';

-- Where the role reaches. These read tables as their owner, so that a policy that asks them neither calls
-- itself nor needs privileges of the caller.

CREATE FUNCTION app_school_ids() RETURNS SETOF uuid
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER ROWS 10 SET search_path FROM CURRENT AS $$
DECLARE
    district uuid := app_district_id();
    school uuid := app_school_id();
BEGIN
    IF app_has_role('ADMIN') THEN
        RETURN QUERY SELECT s.id FROM schools AS s;
    ELSIF app_has_role('DISTRICT_ADMIN') THEN
        RETURN QUERY SELECT s.id FROM schools AS s WHERE s.district_id = district;
    ELSIF app_has_role('SCHOOL_ADMIN', 'NURSE', 'COUNSELOR', 'VIEWER') AND school IS NOT NULL THEN
        RETURN NEXT school;
    END IF;
END $$;
COMMENT ON FUNCTION app_school_ids() IS
    'The schools the role reaches: all for ADMIN, those of the district for DISTRICT_ADMIN, the own one for others.';

CREATE FUNCTION app_district_ids() RETURNS SETOF uuid
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER ROWS 1 SET search_path FROM CURRENT AS $$
DECLARE
    district uuid := app_district_id();
BEGIN
    IF app_has_role('ADMIN') THEN
        RETURN QUERY SELECT d.id FROM districts AS d;
    ELSIF app_has_role('DISTRICT_ADMIN') AND district IS NOT NULL THEN
        RETURN NEXT district;
    END IF;
END $$;
COMMENT ON FUNCTION app_district_ids() IS
    'The districts the role reaches as such: all for ADMIN, the own one for DISTRICT_ADMIN, none for others.';

CREATE FUNCTION app_conversation_ids() RETURNS SETOF uuid
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER ROWS 50 SET search_path FROM CURRENT AS $$
DECLARE
    me uuid := app_user_id();
BEGIN
    RETURN QUERY
        SELECT p.conversation_id
          FROM conversation_participants AS p
         WHERE p.user_id = me AND p.left_at IS NULL;
END $$;
COMMENT ON FUNCTION app_conversation_ids() IS 'The conversations in which the user takes part.';

CREATE FUNCTION app_conversation_is_new(p_conversation uuid) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    RETURN NOT EXISTS (SELECT FROM conversation_participants AS p WHERE p.conversation_id = p_conversation)
       AND NOT EXISTS (SELECT FROM messages AS m WHERE m.conversation_id = p_conversation);
END $$;
COMMENT ON FUNCTION app_conversation_is_new(uuid) IS 'Whether nobody takes part in the conversation yet, and nothing was said.';

-- Before there is a user, somebody signs in: these give the id to set, and nothing else.

CREATE FUNCTION app_find_user(p_email text) RETURNS uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    RETURN (SELECT u.id FROM users AS u WHERE u.email = p_email AND u.is_active);
END $$;
COMMENT ON FUNCTION app_find_user(text) IS 'The active user with this e-mail address, for signing in.';
REVOKE EXECUTE ON FUNCTION app_find_user(text) FROM PUBLIC;

CREATE FUNCTION app_find_session(p_token_hash bytea) RETURNS uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    RETURN (
        SELECT s.user_id
          FROM sessions AS s
          JOIN users AS u ON u.id = s.user_id
         WHERE s.token_hash = p_token_hash AND s.revoked_at IS NULL AND s.expires_at > now() AND u.is_active
    );
END $$;
COMMENT ON FUNCTION app_find_session(bytea) IS 'The active user whose live session has this token.';
REVOKE EXECUTE ON FUNCTION app_find_session(bytea) FROM PUBLIC;

-- Undoes 20251104060100_security_context.

DROP FUNCTION app_find_session(bytea);
DROP FUNCTION app_find_user(text);
DROP FUNCTION app_conversation_is_new(uuid);
DROP FUNCTION app_conversation_ids();
DROP FUNCTION app_district_ids();
DROP FUNCTION app_school_ids();
DROP FUNCTION app_can_see_phi();
DROP FUNCTION app_has_role(text[]);
DROP FUNCTION app_user_role();
DROP FUNCTION app_district_id();
DROP FUNCTION app_school_id();
DROP FUNCTION app_user_id();
DROP FUNCTION app_setting_id(text);

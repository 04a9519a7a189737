DROP TABLE {{schema}}.key_rotation_history;
DROP TABLE {{schema}}.key_transitions;
DROP TABLE {{schema}}.encryption_keys;
DROP FUNCTION {{schema}}.key_rotation_history_frozen();
DROP FUNCTION {{schema}}.encryption_keys_moved();
DROP FUNCTION {{schema}}.encryption_keys_lifecycle();
DROP FUNCTION {{schema}}.refuse_statement();

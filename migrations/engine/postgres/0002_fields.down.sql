DROP TABLE {{schema}}.encrypted_field_metadata;
DROP FUNCTION {{schema}}.encrypted_field_metadata_frozen();

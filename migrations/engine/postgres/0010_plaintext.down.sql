ALTER TABLE {{schema}}.procedures DROP COLUMN report;
ALTER TABLE {{schema}}.encrypted_field_metadata DROP COLUMN plaintext_definition;
ALTER TABLE {{schema}}.encrypted_field_metadata DROP COLUMN frozen;

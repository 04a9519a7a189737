ALTER TABLE phiseal_procedures DROP COLUMN report;
ALTER TABLE phiseal_encrypted_field_metadata DROP COLUMN plaintext_definition;
ALTER TABLE phiseal_encrypted_field_metadata DROP COLUMN frozen;

-- What becomes of the plaintext, and what was found when it was looked for.

-- While a field is frozen, its guard takes no plaintext.
ALTER TABLE {{schema}}.encrypted_field_metadata ADD COLUMN frozen boolean NOT NULL DEFAULT false;
-- What the plaintext column was before it was removed, as JSON: its default, NOT NULL, comment, and
-- the statements of what depended on it. Holds no value of a row.
ALTER TABLE {{schema}}.encrypted_field_metadata ADD COLUMN plaintext_definition text NOT NULL DEFAULT '{}';

-- The report of a procedure, as JSON.
ALTER TABLE {{schema}}.procedures ADD COLUMN report text NOT NULL DEFAULT '{}';

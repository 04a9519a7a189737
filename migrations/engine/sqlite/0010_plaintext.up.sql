-- What becomes of the plaintext, and what was found when it was looked for.

-- While a field is frozen, its guard takes no plaintext.
ALTER TABLE phiseal_encrypted_field_metadata ADD COLUMN frozen INTEGER NOT NULL DEFAULT 0
    CHECK (frozen IN (0, 1) AND typeof(frozen) = 'integer');
-- What the plaintext column was before it was removed, as JSON: its declaration, and the statements
-- of what depended on it. Holds no value of a row.
ALTER TABLE phiseal_encrypted_field_metadata ADD COLUMN plaintext_definition TEXT NOT NULL DEFAULT '{}'
    CHECK (typeof(plaintext_definition) = 'text');

-- The report of a procedure, as JSON.
ALTER TABLE phiseal_procedures ADD COLUMN report TEXT NOT NULL DEFAULT '{}' CHECK (typeof(report) = 'text');

-- Registered fields. Labels go into every key derivation: never changed, never freed.

CREATE TABLE phiseal_encrypted_field_metadata (
    field_id               INTEGER PRIMARY KEY AUTOINCREMENT,
    table_label            TEXT    NOT NULL,
    column_label           TEXT    NOT NULL,
    schema_name            TEXT    NOT NULL,
    table_name             TEXT    NOT NULL,
    column_name            TEXT    NOT NULL,
    sealed_column          TEXT,
    blind_index_column     TEXT,
    -- While the blind index key is rotated: the column that takes the new index, beside the old.
    blind_index_next       TEXT,
    blind_index_normaliser TEXT,
    blind_index_bits       INTEGER CHECK (blind_index_bits BETWEEN 8 AND 256),
    blind_index_key_id     INTEGER REFERENCES phiseal_encryption_keys,
    tenant_column          TEXT,
    key_columns            TEXT    NOT NULL,
    key_types              TEXT    NOT NULL,
    source_type            TEXT    NOT NULL,
    form                   TEXT    NOT NULL CHECK (form IN ('beside', 'in_place')),
    pad_to                 INTEGER NOT NULL DEFAULT 0 CHECK (pad_to >= 0),
    state                  TEXT    NOT NULL DEFAULT 'declared' CHECK (state IN
        ('declared', 'prepared', 'sealing', 'sealed', 'verified', 'opened',
         'finalized', 'scrubbed', 'restored')),
    values_sealed          INTEGER NOT NULL DEFAULT 0,
    created_at             TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    updated_at             TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    UNIQUE (table_label, column_label),
    CHECK ((form = 'in_place') = (sealed_column IS NULL)),
    CHECK ((blind_index_column IS NULL) = (blind_index_normaliser IS NULL)),
    CHECK (blind_index_next IS NULL OR blind_index_column IS NOT NULL),
    CHECK ((blind_index_column IS NULL) = (blind_index_bits IS NULL))
) STRICT;

CREATE TRIGGER phiseal_encrypted_field_metadata_frozen
    BEFORE UPDATE ON phiseal_encrypted_field_metadata
BEGIN
    SELECT RAISE(ABORT, 'UPDATE refused on encrypted_field_metadata: the labels of a field never change')
        WHERE (NEW.field_id, NEW.table_label, NEW.column_label, NEW.created_at)
              IS NOT (OLD.field_id, OLD.table_label, OLD.column_label, OLD.created_at);
    -- The row key of every sealed value was made with these tags.
    SELECT RAISE(ABORT, 'UPDATE refused on encrypted_field_metadata: the row key of a sealed field never changes')
        WHERE OLD.state NOT IN ('declared', 'restored') AND NEW.key_types <> OLD.key_types;
END;

CREATE TRIGGER phiseal_encrypted_field_metadata_kept
    BEFORE DELETE ON phiseal_encrypted_field_metadata
BEGIN
    SELECT RAISE(ABORT, 'DELETE refused on encrypted_field_metadata: labels are never freed');
END;

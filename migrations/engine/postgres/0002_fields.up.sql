-- Registered fields. Labels go into every key derivation: never changed, never freed.

CREATE TABLE {{schema}}.encrypted_field_metadata (
    field_id               bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    table_label            text        NOT NULL,
    column_label           text        NOT NULL,
    schema_name            text        NOT NULL,
    table_name             text        NOT NULL,
    column_name            text        NOT NULL,
    sealed_column          text,
    blind_index_column     text,
    -- While the blind index key is rotated: the column that takes the new index, beside the old.
    blind_index_next       text,
    blind_index_normaliser text,
    blind_index_bits       integer     CHECK (blind_index_bits BETWEEN 8 AND 256),
    blind_index_key_id     integer     REFERENCES {{schema}}.encryption_keys,
    tenant_column          text,
    key_columns            text        NOT NULL,
    key_types              text        NOT NULL,
    source_type            text        NOT NULL,
    form                   text        NOT NULL CHECK (form IN ('beside', 'in_place')),
    pad_to                 integer     NOT NULL DEFAULT 0 CHECK (pad_to >= 0),
    state                  text        NOT NULL DEFAULT 'declared' CHECK (state IN
        ('declared', 'prepared', 'sealing', 'sealed', 'verified', 'opened',
         'finalized', 'scrubbed', 'restored')),
    values_sealed          bigint      NOT NULL DEFAULT 0,
    created_at             timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at             timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (table_label, column_label),
    CHECK ((form = 'in_place') = (sealed_column IS NULL)),
    CHECK ((blind_index_column IS NULL) = (blind_index_normaliser IS NULL)),
    CHECK (blind_index_next IS NULL OR blind_index_column IS NOT NULL),
    CHECK ((blind_index_column IS NULL) = (blind_index_bits IS NULL))
);

CREATE FUNCTION {{schema}}.encrypted_field_metadata_frozen() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    fault text;
BEGIN
    IF (NEW.field_id, NEW.table_label, NEW.column_label, NEW.created_at)
       IS DISTINCT FROM (OLD.field_id, OLD.table_label, OLD.column_label, OLD.created_at) THEN
        fault := 'the labels of a field never change';
    -- The row key of every sealed value was made with these tags.
    ELSIF OLD.state NOT IN ('declared', 'restored') AND NEW.key_types <> OLD.key_types THEN
        fault := 'the row key of a sealed field never changes';
    END IF;
    IF fault IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PS001', TABLE = TG_TABLE_NAME,
            MESSAGE = format('%s refused on %s: %s', TG_OP, TG_TABLE_NAME, fault);
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER encrypted_field_metadata_frozen
    BEFORE UPDATE ON {{schema}}.encrypted_field_metadata
    FOR EACH ROW EXECUTE FUNCTION {{schema}}.encrypted_field_metadata_frozen();

CREATE TRIGGER encrypted_field_metadata_kept
    BEFORE DELETE OR TRUNCATE ON {{schema}}.encrypted_field_metadata
    FOR EACH STATEMENT EXECUTE FUNCTION {{schema}}.refuse_statement('labels are never freed');
ALTER TABLE {{schema}}.encrypted_field_metadata ENABLE ALWAYS TRIGGER encrypted_field_metadata_kept;

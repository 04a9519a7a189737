-- Which relations hold, or once held, sealed values of each table, and which guard each has. A name says
-- little: tables are renamed, moved, detached and made again.

CREATE TABLE {{schema}}.sealed_relations (
    relation_id  bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    table_label  text        NOT NULL,
    -- The cluster's system identifier and the OID of the database: OIDs mean nothing elsewhere.
    database     text        NOT NULL,
    relation     bigint      NOT NULL,
    -- The table, or the top of its partitions; the others are leaves, attached or detached.
    root         boolean     NOT NULL,
    schema_name  text        NOT NULL,
    table_name   text        NOT NULL,
    -- The number of each column, by the name it had when the fields were registered, as JSON.
    columns      text        NOT NULL,
    -- Triggers and functions of the guard as the catalog had them; NULL for none.
    guard        text,
    -- Why its seals may not be of the plaintext beside them; NULL once all of them were compared.
    gap          text,
    gap_since    timestamptz,
    compared_at  timestamptz,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- When a person said that it is of this table no more.
    left_at      timestamptz,
    CHECK ((gap IS NULL) = (gap_since IS NULL))
);

CREATE UNIQUE INDEX sealed_relations_one_root
    ON {{schema}}.sealed_relations (table_label, database) WHERE root AND left_at IS NULL;

-- Under two labels a value would have two sets of keys.
CREATE UNIQUE INDEX sealed_relations_one_label
    ON {{schema}}.sealed_relations (database, relation) WHERE left_at IS NULL;

ALTER TABLE {{schema}}.runs DROP CONSTRAINT runs_kind_check;
ALTER TABLE {{schema}}.runs ADD CONSTRAINT runs_kind_check CHECK (kind IN
    ('backfill', 'compare', 'rotate', 'reindex', 'restore', 'finalize', 'destroy'));

ALTER TABLE {{schema}}.encrypted_field_metadata DROP CONSTRAINT encrypted_field_metadata_state_check;
ALTER TABLE {{schema}}.encrypted_field_metadata ADD CONSTRAINT encrypted_field_metadata_state_check CHECK (state IN
    ('declared', 'prepared', 'sealing', 'sealed', 'verified', 'opened',
     'finalized', 'scrubbed', 'restored', 'forgotten'));

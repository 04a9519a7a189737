-- Which relation holds, or once held, sealed values of each table, and which guard it has. A name says little:
-- tables are renamed, and made again.

CREATE TABLE phiseal_sealed_relations (
    relation_id  INTEGER PRIMARY KEY AUTOINCREMENT,
    table_label  TEXT    NOT NULL,
    -- The name of the guard's trigger on UPDATE, which stays with a renamed table; empty without a guard.
    trigger_name TEXT    NOT NULL,
    -- Where the table begins in the file: tells it from another one that took its name.
    root_page    INTEGER NOT NULL,
    table_name   TEXT    NOT NULL,
    -- The place of each column, by the name it had when the fields were registered, as JSON.
    columns      TEXT    NOT NULL,
    -- A digest of the guard's triggers and their places in the schema; NULL for none.
    guard        TEXT,
    -- Why its seals may not be of the plaintext beside them; NULL once all of them were compared.
    gap          TEXT,
    gap_since    TEXT,
    compared_at  TEXT,
    created_at   TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    -- When a person said that it is of this table no more.
    left_at      TEXT,
    CHECK ((gap IS NULL) = (gap_since IS NULL))
);

CREATE UNIQUE INDEX phiseal_sealed_relations_one_root ON phiseal_sealed_relations (table_label) WHERE left_at IS NULL;

-- A mark in the order of the schema: every guard is made before it, and it is made again after each. A trigger that
-- stands behind it was made by somebody else. VACUUM and a dump keep the order of triggers and views.
CREATE VIEW phiseal_end_of_guards AS SELECT 1 AS one;

-- The same among tables: one that stands behind it was made since a guard last changed, whatever page it begins on.
CREATE TABLE phiseal_end_of_tables (one INTEGER);

-- Only the texts of two CHECKs change; every row, index, trigger and sequence stays as it is
-- (https://sqlite.org/lang_altertable.html, "Making Other Kinds Of Table Schema Changes").
PRAGMA writable_schema = ON;

UPDATE sqlite_master SET sql = replace(sql, '(''backfill'', ''rotate'',', '(''backfill'', ''compare'', ''rotate'',')
    WHERE type = 'table' AND name = 'phiseal_runs';

UPDATE sqlite_master SET sql = replace(sql, '''scrubbed'', ''restored'')', '''scrubbed'', ''restored'', ''forgotten'')')
    WHERE type = 'table' AND name = 'phiseal_encrypted_field_metadata';

PRAGMA writable_schema = RESET;

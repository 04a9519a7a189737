-- An earlier version finds tables by name, and knows no comparing run and no forgotten field.

UPDATE {{schema}}.runs SET kind = 'backfill' WHERE kind = 'compare';
ALTER TABLE {{schema}}.runs DROP CONSTRAINT runs_kind_check;
ALTER TABLE {{schema}}.runs ADD CONSTRAINT runs_kind_check CHECK (kind IN
    ('backfill', 'rotate', 'reindex', 'restore', 'finalize', 'destroy'));

UPDATE {{schema}}.encrypted_field_metadata SET state = 'restored' WHERE state = 'forgotten';
ALTER TABLE {{schema}}.encrypted_field_metadata DROP CONSTRAINT encrypted_field_metadata_state_check;
ALTER TABLE {{schema}}.encrypted_field_metadata ADD CONSTRAINT encrypted_field_metadata_state_check CHECK (state IN
    ('declared', 'prepared', 'sealing', 'sealed', 'verified', 'opened',
     'finalized', 'scrubbed', 'restored'));

DROP TABLE {{schema}}.sealed_relations;

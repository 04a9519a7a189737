-- An earlier version finds tables by name, and knows no comparing run and no forgotten field.

UPDATE phiseal_runs SET kind = 'backfill' WHERE kind = 'compare';
UPDATE phiseal_encrypted_field_metadata SET state = 'restored' WHERE state = 'forgotten';

PRAGMA writable_schema = ON;

UPDATE sqlite_master SET sql = replace(sql, '(''backfill'', ''compare'', ''rotate'',', '(''backfill'', ''rotate'',')
    WHERE type = 'table' AND name = 'phiseal_runs';

UPDATE sqlite_master SET sql = replace(sql, '''scrubbed'', ''restored'', ''forgotten'')', '''scrubbed'', ''restored'')')
    WHERE type = 'table' AND name = 'phiseal_encrypted_field_metadata';

PRAGMA writable_schema = RESET;

DROP TABLE phiseal_end_of_tables;
DROP VIEW phiseal_end_of_guards;
DROP TABLE phiseal_sealed_relations;

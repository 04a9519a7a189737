DROP TABLE phiseal_key_rotation_history;
DROP TABLE phiseal_key_transitions;
DROP TABLE phiseal_encryption_keys;

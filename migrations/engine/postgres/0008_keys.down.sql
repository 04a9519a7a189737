DROP TABLE {{schema}}.key_transition_entries;

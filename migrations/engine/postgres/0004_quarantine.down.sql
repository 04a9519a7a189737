DROP TABLE {{schema}}.quarantine;

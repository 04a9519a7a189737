DROP TABLE {{schema}}.lanes;
DROP TABLE {{schema}}.runs;

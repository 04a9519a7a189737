DROP TABLE {{schema}}.rotation_counts;
DROP TABLE {{schema}}.lanes;
DROP TABLE {{schema}}.runs;

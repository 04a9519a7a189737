DROP TABLE {{schema}}.procedures;
ALTER TABLE {{schema}}.lanes DROP COLUMN kind;

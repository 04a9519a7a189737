DROP TABLE {{schema}}.audit_head;
DROP TABLE {{schema}}.audit_log;

DROP TABLE phiseal_audit_head;
DROP TABLE phiseal_audit_log;

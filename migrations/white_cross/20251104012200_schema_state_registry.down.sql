-- Undoes 20251104012200_schema_state_registry.

DROP TABLE registry_submissions;
DROP TABLE registry_connections;

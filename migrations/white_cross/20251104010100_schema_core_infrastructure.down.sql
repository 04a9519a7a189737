-- Undoes 20251104010100_schema_core_infrastructure.

DROP TABLE sessions;
DROP TABLE users;
DROP TABLE schools;
DROP TABLE districts;

-- Undoes 20251104011700_schema_system_configuration.

DROP TABLE configuration_history;
DROP TABLE system_configurations;

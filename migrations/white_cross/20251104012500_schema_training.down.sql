-- Undoes 20251104012500_schema_training.

DROP TABLE training_modules;

-- Undoes 20251104012600_schema_academic.

DROP TABLE academic_transcripts;

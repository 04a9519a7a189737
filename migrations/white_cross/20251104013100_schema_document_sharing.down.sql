-- Undoes 20251104013100_schema_document_sharing.

DROP TABLE document_access_log;
DROP TABLE shared_documents;
DROP TABLE documents;

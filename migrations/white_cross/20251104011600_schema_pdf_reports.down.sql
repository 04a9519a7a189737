-- Undoes 20251104011600_schema_pdf_reports.

DROP TABLE report_instances;
DROP TABLE report_definitions;

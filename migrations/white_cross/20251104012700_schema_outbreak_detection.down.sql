-- Undoes 20251104012700_schema_outbreak_detection.

DROP TABLE outbreak_case_clusters;
DROP TABLE outbreak_alerts;
DROP TABLE symptom_tracking;

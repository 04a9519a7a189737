-- Undoes 20251104011500_schema_analytics.

DROP TABLE report_schedules;
DROP TABLE health_metric_snapshots;
DROP TABLE analytics_reports;

-- Undoes 20251104011100_schema_realtime_alerts.

DROP TABLE alert_delivery_log;
DROP TABLE alert_subscriptions;
DROP TABLE alert_instances;
DROP TABLE alert_definitions;

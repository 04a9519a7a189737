-- Undoes 20251104011000_schema_notifications.

DROP TABLE push_notifications;
DROP TABLE device_tokens;
DROP TABLE emergency_broadcasts;

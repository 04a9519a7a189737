-- Undoes 20251104010900_schema_messaging.

DROP TABLE message_read;
DROP TABLE message_reactions;
DROP TABLE message_templates;
DROP TABLE message_delivery;
DROP TABLE messages;
DROP TABLE conversation_participants;
DROP TABLE conversations;

-- 20251104010900_schema_messaging
-- Purpose: conversations, messages and their delivery.
-- HIPAA: PHI in messages, message_delivery; they have soft deletes and audit fields.
-- Depends on: 000200_enums_features, 000300_enums_operations. Foreign keys come later, when all
--     tables are there.

CREATE TABLE conversations (
    id                 uuid               NOT NULL DEFAULT gen_random_uuid(),
    school_id          uuid,
    conversation_type  conversation_type  NOT NULL DEFAULT 'DIRECT',
    name               varchar(200),
    is_archived        boolean            NOT NULL DEFAULT false,
    last_message_at    timestamptz,
    created_at         timestamptz        NOT NULL DEFAULT now(),
    updated_at         timestamptz        NOT NULL DEFAULT now(),
    CONSTRAINT conversations_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE conversations IS
    'A thread of messages.';

CREATE TABLE conversation_participants (
    id               uuid         NOT NULL DEFAULT gen_random_uuid(),
    conversation_id  uuid         NOT NULL,
    user_id          uuid         NOT NULL,
    joined_at        timestamptz  NOT NULL DEFAULT now(),
    left_at          timestamptz,
    is_muted         boolean      NOT NULL DEFAULT false,
    last_read_at     timestamptz,
    created_at       timestamptz  NOT NULL DEFAULT now(),
    updated_at       timestamptz  NOT NULL DEFAULT now(),
    CONSTRAINT conversation_participants_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE conversation_participants IS
    'Who takes part in a conversation.';

CREATE TABLE messages (
    id               uuid              NOT NULL DEFAULT gen_random_uuid(),
    conversation_id  uuid              NOT NULL,
    sender_id        uuid,
    template_id      uuid,
    reply_to_id      uuid,
    priority         message_priority  NOT NULL DEFAULT 'NORMAL',
    subject          text,
    body             text,
    sent_at          timestamptz,
    edited_at        timestamptz,
    created_by       uuid,
    updated_by       uuid,
    created_at       timestamptz       NOT NULL DEFAULT now(),
    updated_at       timestamptz       NOT NULL DEFAULT now(),
    deleted_at       timestamptz,
    CONSTRAINT messages_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE messages IS
    'A message. What is written in it may be PHI.';
COMMENT ON COLUMN messages.deleted_at IS
    'Soft delete: when the row was deleted; NULL while it is live.';

CREATE TABLE message_delivery (
    id                 uuid              NOT NULL DEFAULT gen_random_uuid(),
    message_id         uuid              NOT NULL,
    recipient_id       uuid              NOT NULL,
    channel            delivery_channel  NOT NULL DEFAULT 'IN_APP',
    status             delivery_status   NOT NULL DEFAULT 'QUEUED',
    recipient_address  text,
    sent_at            timestamptz,
    delivered_at       timestamptz,
    read_at            timestamptz,
    attempts           smallint          NOT NULL DEFAULT 0,
    error_code         varchar(50),
    created_by         uuid,
    updated_by         uuid,
    created_at         timestamptz       NOT NULL DEFAULT now(),
    updated_at         timestamptz       NOT NULL DEFAULT now(),
    deleted_at         timestamptz,
    CONSTRAINT message_delivery_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE message_delivery IS
    'Delivery of a message to one recipient.';
COMMENT ON COLUMN message_delivery.read_at IS 'NULL while unread.';
COMMENT ON COLUMN message_delivery.deleted_at IS
    'Soft delete: when the row was deleted; NULL while it is live.';

CREATE TABLE message_templates (
    id           uuid          NOT NULL DEFAULT gen_random_uuid(),
    district_id  uuid,
    name         varchar(200)  NOT NULL,
    category     varchar(100),
    subject      varchar(300),
    body         text          NOT NULL,
    variables    text[]        NOT NULL DEFAULT '{}',
    is_active    boolean       NOT NULL DEFAULT true,
    created_at   timestamptz   NOT NULL DEFAULT now(),
    updated_at   timestamptz   NOT NULL DEFAULT now(),
    CONSTRAINT message_templates_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE message_templates IS
    'A text with gaps to fill in. The text itself names no person.';
COMMENT ON COLUMN message_templates.variables IS 'Names of the gaps.';

CREATE TABLE message_reactions (
    id          uuid         NOT NULL DEFAULT gen_random_uuid(),
    message_id  uuid         NOT NULL,
    user_id     uuid         NOT NULL,
    emoji       varchar(32)  NOT NULL,
    created_at  timestamptz  NOT NULL DEFAULT now(),
    updated_at  timestamptz  NOT NULL DEFAULT now(),
    CONSTRAINT message_reactions_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE message_reactions IS
    'A reaction of a user to a message.';

CREATE TABLE message_read (
    id          uuid         NOT NULL DEFAULT gen_random_uuid(),
    message_id  uuid         NOT NULL,
    user_id     uuid         NOT NULL,
    read_at     timestamptz  NOT NULL DEFAULT now(),
    created_at  timestamptz  NOT NULL DEFAULT now(),
    updated_at  timestamptz  NOT NULL DEFAULT now(),
    CONSTRAINT message_read_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE message_read IS
    'When a user read a message.';

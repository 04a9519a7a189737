-- 20251104011700_schema_system_configuration
-- Purpose: settings and the history of their changes.
-- HIPAA: append-only: configuration_history.
-- Depends on: 000100_enums_core. Foreign keys come later, when all tables are there.

CREATE TABLE system_configurations (
    id                uuid               NOT NULL DEFAULT gen_random_uuid(),
    district_id       uuid,
    school_id         uuid,
    user_id           uuid,
    key               varchar(200)       NOT NULL,
    value             text,
    value_type        config_value_type  NOT NULL DEFAULT 'STRING',
    scope             config_scope       NOT NULL DEFAULT 'SYSTEM',
    category          config_category    NOT NULL DEFAULT 'GENERAL',
    description       text,
    default_value     text,
    min_value         numeric,
    max_value         numeric,
    valid_values      text[],
    tags              text[]             NOT NULL DEFAULT '{}',
    is_editable       boolean            NOT NULL DEFAULT true,
    requires_restart  boolean            NOT NULL DEFAULT false,
    created_at        timestamptz        NOT NULL DEFAULT now(),
    updated_at        timestamptz        NOT NULL DEFAULT now(),
    CONSTRAINT system_configurations_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE system_configurations IS
    'A setting, of the system or of a district, school or user.';
COMMENT ON COLUMN system_configurations.scope IS 'Says which one of the three ids is set.';
COMMENT ON COLUMN system_configurations.valid_values IS 'Allowed values, where they are a list.';

CREATE TABLE configuration_history (
    id                       uuid         NOT NULL DEFAULT gen_random_uuid(),
    system_configuration_id  uuid         NOT NULL,
    changed_by               uuid         NOT NULL,
    old_value                text,
    new_value                text,
    reason                   text,
    ip_address               inet,
    user_agent               text,
    created_at               timestamptz  NOT NULL DEFAULT now(),
    updated_at               timestamptz  NOT NULL DEFAULT now(),
    CONSTRAINT configuration_history_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE configuration_history IS
    'Every change of a setting. Append-only.';

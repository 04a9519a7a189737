-- 20251104011900_schema_tamper_alerts
-- Purpose: checksums of rows and alerts of altered data, chained by hashes.
-- HIPAA: append-only: tamper_alerts.
-- Depends on: 000200_enums_features. Foreign keys come later, when all tables are there.

CREATE TABLE data_integrity_checksums (
    id           uuid         NOT NULL DEFAULT gen_random_uuid(),
    table_name   varchar(63)  NOT NULL,
    record_id    uuid         NOT NULL,
    checksum     bytea        NOT NULL,
    computed_at  timestamptz  NOT NULL DEFAULT now(),
    verified_at  timestamptz,
    created_at   timestamptz  NOT NULL DEFAULT now(),
    updated_at   timestamptz  NOT NULL DEFAULT now(),
    CONSTRAINT data_integrity_checksums_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE data_integrity_checksums IS
    'SHA-256 over columns of a row that are no PHI, or are sealed.';
COMMENT ON COLUMN data_integrity_checksums.checksum IS
    'SHA-256, 32 bytes; never over PHI in the clear, whose digest could be guessed.';

CREATE TABLE tamper_alerts (
    id             uuid            NOT NULL DEFAULT gen_random_uuid(),
    checksum_id    uuid,
    sequence       bigint          NOT NULL,
    previous_hash  bytea,
    entry_hash     bytea           NOT NULL,
    severity       alert_severity  NOT NULL DEFAULT 'CRITICAL',
    table_name     varchar(63)     NOT NULL,
    record_id      uuid,
    description    text,
    detected_at    timestamptz     NOT NULL DEFAULT now(),
    created_at     timestamptz     NOT NULL DEFAULT now(),
    updated_at     timestamptz     NOT NULL DEFAULT now(),
    CONSTRAINT tamper_alerts_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE tamper_alerts IS
    'Data that was altered. Append-only; each entry carries the hash of the one before.';
COMMENT ON COLUMN tamper_alerts.sequence IS 'Place in the chain, from 1, without gaps.';
COMMENT ON COLUMN tamper_alerts.previous_hash IS 'Hash of the entry before; NULL in the first.';
COMMENT ON COLUMN tamper_alerts.entry_hash IS 'SHA-256 over this entry and previous_hash.';

-- 20251104011500_schema_analytics
-- Purpose: reports and metrics over aggregates, and when reports are made.
-- HIPAA: no PHI.
-- Depends on: 000200_enums_features. Foreign keys come later, when all tables are there.

CREATE TABLE analytics_reports (
    id            uuid          NOT NULL DEFAULT gen_random_uuid(),
    district_id   uuid,
    school_id     uuid,
    generated_by  uuid,
    name          varchar(200)  NOT NULL,
    report_type   varchar(50)   NOT NULL,
    period_start  date,
    period_end    date,
    results       jsonb         NOT NULL DEFAULT '{}',
    generated_at  timestamptz,
    created_at    timestamptz   NOT NULL DEFAULT now(),
    updated_at    timestamptz   NOT NULL DEFAULT now(),
    CONSTRAINT analytics_reports_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE analytics_reports IS
    'A report over aggregates. Names no person.';
COMMENT ON COLUMN analytics_reports.results IS 'Aggregates only.';

CREATE TABLE health_metric_snapshots (
    id           uuid           NOT NULL DEFAULT gen_random_uuid(),
    district_id  uuid,
    school_id    uuid,
    metric       varchar(100)   NOT NULL,
    taken_on     date           NOT NULL DEFAULT CURRENT_DATE,
    value        numeric(14,4),
    population   integer,
    dimensions   jsonb          NOT NULL DEFAULT '{}',
    created_at   timestamptz    NOT NULL DEFAULT now(),
    updated_at   timestamptz    NOT NULL DEFAULT now(),
    CONSTRAINT health_metric_snapshots_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE health_metric_snapshots IS
    'A metric on a day. Aggregates only.';
COMMENT ON COLUMN health_metric_snapshots.population IS 'How many persons stand behind the value.';
COMMENT ON COLUMN health_metric_snapshots.dimensions IS
    'What the metric is broken down by: grade, season.';

CREATE TABLE report_schedules (
    id                    uuid           NOT NULL DEFAULT gen_random_uuid(),
    report_definition_id  uuid           NOT NULL,
    owner_id              uuid,
    name                  varchar(200)   NOT NULL,
    cron                  varchar(100)   NOT NULL,
    format                export_format  NOT NULL DEFAULT 'PDF',
    next_run_at           timestamptz,
    last_run_at           timestamptz,
    is_active             boolean        NOT NULL DEFAULT true,
    created_at            timestamptz    NOT NULL DEFAULT now(),
    updated_at            timestamptz    NOT NULL DEFAULT now(),
    CONSTRAINT report_schedules_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE report_schedules IS
    'When a report is made.';
COMMENT ON COLUMN report_schedules.cron IS 'Five fields, UTC.';

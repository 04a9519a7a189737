-- How fast runs go: what an operator asks for, and what each process says.

CREATE TABLE {{schema}}.pace_requests (
    -- Empty for all tables.
    table_label         text             NOT NULL,
    kind                text             NOT NULL CHECK (kind IN ('pause', 'speed')),
    pace                text             CHECK (pace IN ('polite', 'fast', 'windowed')),
    rows_per_second_max bigint           CHECK (rows_per_second_max > 0),
    -- NULL until it is withdrawn.
    until               timestamptz,
    actor               text             NOT NULL,
    requested_at        timestamptz      NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (table_label, kind)
);

CREATE TABLE {{schema}}.pace_reports (
    holder              text             NOT NULL,
    table_label         text             NOT NULL,
    kind                text             NOT NULL,
    -- NULL for a verification, which is no run.
    run_id              bigint,
    duty                double precision NOT NULL,
    waits_for           text,
    waits_seconds       double precision NOT NULL,
    rows_per_second     double precision NOT NULL,
    transactions        bigint           NOT NULL,
    reported_at         timestamptz      NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (holder, table_label)
) WITH (fillfactor = 20);

-- Rows that a probe updates, to see how long a small transaction takes.
CREATE TABLE {{schema}}.pace_probe (
    slot                integer          PRIMARY KEY,
    counter             bigint           NOT NULL DEFAULT 0
) WITH (fillfactor = 20);
INSERT INTO {{schema}}.pace_probe (slot) SELECT * FROM pg_catalog.generate_series(0, 63);

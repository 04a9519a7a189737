-- How fast runs go: what an operator asks for, and what each process says.

CREATE TABLE phiseal_pace_requests (
    -- Empty for all tables.
    table_label         TEXT    NOT NULL,
    kind                TEXT    NOT NULL CHECK (kind IN ('pause', 'speed')),
    pace                TEXT    CHECK (pace IN ('polite', 'fast', 'windowed')),
    rows_per_second_max INTEGER CHECK (rows_per_second_max > 0),
    -- NULL until it is withdrawn.
    until               TEXT,
    actor               TEXT    NOT NULL,
    requested_at        TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    PRIMARY KEY (table_label, kind),
    CHECK ('blob' NOT IN (typeof(table_label), typeof(kind), typeof(pace), typeof(until), typeof(actor),
        typeof(requested_at)))
);

CREATE TABLE phiseal_pace_reports (
    holder              TEXT    NOT NULL,
    table_label         TEXT    NOT NULL,
    kind                TEXT    NOT NULL,
    -- NULL for a verification, which is no run.
    run_id              INTEGER,
    duty                REAL    NOT NULL,
    waits_for           TEXT,
    waits_seconds       REAL    NOT NULL,
    rows_per_second     REAL    NOT NULL,
    transactions        INTEGER NOT NULL,
    reported_at         TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    PRIMARY KEY (holder, table_label),
    CHECK ('blob' NOT IN (typeof(holder), typeof(table_label), typeof(kind), typeof(waits_for), typeof(reported_at)))
);

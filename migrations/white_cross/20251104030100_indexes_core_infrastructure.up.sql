-- 20251104030100_indexes_core_infrastructure
-- Purpose: 7 indexes of districts, schools and users.
-- HIPAA: no PHI is indexed.
-- Depends on: all constraint migrations, whose unique keys serve as indexes.

-- Each statement runs by itself, outside a transaction, beside reads and writes, and may be run again.

CREATE INDEX CONCURRENTLY IF NOT EXISTS districts_name_idx
    ON districts (name);
CREATE INDEX CONCURRENTLY IF NOT EXISTS districts_state_idx
    ON districts (state) WHERE is_active;
CREATE INDEX CONCURRENTLY IF NOT EXISTS schools_district_id_name_idx
    ON schools (district_id, name);
CREATE INDEX CONCURRENTLY IF NOT EXISTS schools_state_city_idx
    ON schools (state, city);
CREATE INDEX CONCURRENTLY IF NOT EXISTS users_school_id_idx
    ON users (school_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS users_district_id_idx
    ON users (district_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS users_last_name_first_name_idx
    ON users (last_name, first_name);

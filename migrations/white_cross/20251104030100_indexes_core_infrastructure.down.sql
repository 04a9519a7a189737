-- Undoes 20251104030100_indexes_core_infrastructure.

DROP INDEX CONCURRENTLY IF EXISTS users_last_name_first_name_idx;
DROP INDEX CONCURRENTLY IF EXISTS users_district_id_idx;
DROP INDEX CONCURRENTLY IF EXISTS users_school_id_idx;
DROP INDEX CONCURRENTLY IF EXISTS schools_state_city_idx;
DROP INDEX CONCURRENTLY IF EXISTS schools_district_id_name_idx;
DROP INDEX CONCURRENTLY IF EXISTS districts_state_idx;
DROP INDEX CONCURRENTLY IF EXISTS districts_name_idx;

-- Nothing in PostgreSQL: both databases have the same versions.
SELECT 1;

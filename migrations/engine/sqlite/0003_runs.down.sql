DROP TABLE phiseal_rotation_counts;
DROP TABLE phiseal_mark;
DROP TABLE phiseal_lanes;
DROP TABLE phiseal_runs;

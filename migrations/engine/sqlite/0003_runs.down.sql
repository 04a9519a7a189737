DROP TABLE phiseal_mark;
DROP TABLE phiseal_lanes;
DROP TABLE phiseal_runs;

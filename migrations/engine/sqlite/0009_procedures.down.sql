DROP TABLE phiseal_procedures;
ALTER TABLE phiseal_lanes DROP COLUMN kind;

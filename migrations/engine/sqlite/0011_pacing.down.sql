DROP TABLE phiseal_pace_reports;
DROP TABLE phiseal_pace_requests;

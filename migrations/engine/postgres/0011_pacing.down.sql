DROP TABLE {{schema}}.pace_probe;
DROP TABLE {{schema}}.pace_reports;
DROP TABLE {{schema}}.pace_requests;

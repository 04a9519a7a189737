DROP TABLE phiseal_quarantine;

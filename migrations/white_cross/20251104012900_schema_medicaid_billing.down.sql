-- Undoes 20251104012900_schema_medicaid_billing.

DROP TABLE billing_claims;
DROP TABLE medicaid_eligibility;

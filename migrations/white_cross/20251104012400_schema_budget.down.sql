-- Undoes 20251104012400_schema_budget.

DROP TABLE budget_transactions;
DROP TABLE budget_categories;

-- 20251104012400_schema_budget
-- Purpose: budgets and what was spent of them.
-- HIPAA: no PHI.
-- Depends on: nothing. Foreign keys come later, when all tables are there.

CREATE TABLE budget_categories (
    id           uuid           NOT NULL DEFAULT gen_random_uuid(),
    district_id  uuid           NOT NULL,
    school_id    uuid,
    name         varchar(200)   NOT NULL,
    fiscal_year  smallint       NOT NULL,
    allocated    numeric(14,2)  NOT NULL DEFAULT 0,
    is_active    boolean        NOT NULL DEFAULT true,
    created_at   timestamptz    NOT NULL DEFAULT now(),
    updated_at   timestamptz    NOT NULL DEFAULT now(),
    CONSTRAINT budget_categories_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE budget_categories IS
    'A budget for a fiscal year.';

CREATE TABLE budget_transactions (
    id                  uuid           NOT NULL DEFAULT gen_random_uuid(),
    budget_category_id  uuid           NOT NULL,
    purchase_order_id   uuid,
    amount              numeric(14,2)  NOT NULL,
    transacted_on       date           NOT NULL DEFAULT CURRENT_DATE,
    description         text,
    reference           varchar(100),
    created_at          timestamptz    NOT NULL DEFAULT now(),
    updated_at          timestamptz    NOT NULL DEFAULT now(),
    CONSTRAINT budget_transactions_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE budget_transactions IS
    'Money spent or given back. Keeps its category from being deleted.';
COMMENT ON COLUMN budget_transactions.amount IS 'Positive spent, negative given back.';

-- 20251104011400_schema_inventory
-- Purpose: vendors, suppliers, items, stock and orders.
-- HIPAA: no PHI.
-- Depends on: 000300_enums_operations. Foreign keys come later, when all tables are there.

CREATE TABLE vendors (
    id            uuid          NOT NULL DEFAULT gen_random_uuid(),
    name          varchar(200)  NOT NULL,
    contact_name  varchar(200),
    email         varchar(255),
    phone         varchar(20),
    address       text,
    tax_id        varchar(20),
    rating        numeric(2,1),
    is_active     boolean       NOT NULL DEFAULT true,
    created_at    timestamptz   NOT NULL DEFAULT now(),
    updated_at    timestamptz   NOT NULL DEFAULT now(),
    CONSTRAINT vendors_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE vendors IS
    'A company that orders go to.';

CREATE TABLE suppliers (
    id              uuid          NOT NULL DEFAULT gen_random_uuid(),
    name            varchar(200)  NOT NULL,
    contact_name    varchar(200),
    email           varchar(255),
    phone           varchar(20),
    address         text,
    lead_time_days  integer,
    is_active       boolean       NOT NULL DEFAULT true,
    created_at      timestamptz   NOT NULL DEFAULT now(),
    updated_at      timestamptz   NOT NULL DEFAULT now(),
    CONSTRAINT suppliers_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE suppliers IS
    'A company that an item comes from.';

CREATE TABLE inventory_items (
    id             uuid           NOT NULL DEFAULT gen_random_uuid(),
    school_id      uuid           NOT NULL,
    supplier_id    uuid,
    name           varchar(200)   NOT NULL,
    sku            varchar(50),
    category       varchar(100),
    unit           varchar(30),
    quantity       integer        NOT NULL DEFAULT 0,
    reorder_level  integer        NOT NULL DEFAULT 0,
    unit_cost      numeric(12,2),
    location       varchar(200),
    expires_on     date,
    is_active      boolean        NOT NULL DEFAULT true,
    created_at     timestamptz    NOT NULL DEFAULT now(),
    updated_at     timestamptz    NOT NULL DEFAULT now(),
    CONSTRAINT inventory_items_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE inventory_items IS
    'An item of a school''s supplies.';

CREATE TABLE inventory_transactions (
    id                 uuid                        NOT NULL DEFAULT gen_random_uuid(),
    inventory_item_id  uuid                        NOT NULL,
    purchase_order_id  uuid,
    performed_by       uuid,
    transaction_type   inventory_transaction_type  NOT NULL,
    quantity           integer                     NOT NULL,
    unit_cost          numeric(12,2),
    reason             text,
    created_at         timestamptz                 NOT NULL DEFAULT now(),
    updated_at         timestamptz                 NOT NULL DEFAULT now(),
    CONSTRAINT inventory_transactions_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE inventory_transactions IS
    'A change in the stock of an item.';
COMMENT ON COLUMN inventory_transactions.quantity IS 'Positive into stock, negative out of it.';

CREATE TABLE maintenance_logs (
    id                 uuid           NOT NULL DEFAULT gen_random_uuid(),
    inventory_item_id  uuid           NOT NULL,
    performed_by       uuid,
    maintenance_type   varchar(100)   NOT NULL,
    performed_on       date           NOT NULL DEFAULT CURRENT_DATE,
    next_due_on        date,
    cost               numeric(12,2),
    description        text,
    created_at         timestamptz    NOT NULL DEFAULT now(),
    updated_at         timestamptz    NOT NULL DEFAULT now(),
    CONSTRAINT maintenance_logs_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE maintenance_logs IS
    'Maintenance of equipment.';

CREATE TABLE purchase_orders (
    id            uuid                   NOT NULL DEFAULT gen_random_uuid(),
    school_id     uuid                   NOT NULL,
    vendor_id     uuid                   NOT NULL,
    ordered_by    uuid,
    approved_by   uuid,
    order_number  varchar(50)            NOT NULL,
    status        purchase_order_status  NOT NULL DEFAULT 'DRAFT',
    ordered_on    date,
    expected_on   date,
    received_on   date,
    total         numeric(12,2)          NOT NULL DEFAULT 0,
    notes         text,
    created_at    timestamptz            NOT NULL DEFAULT now(),
    updated_at    timestamptz            NOT NULL DEFAULT now(),
    CONSTRAINT purchase_orders_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE purchase_orders IS
    'An order to a vendor.';

CREATE TABLE purchase_order_items (
    id                 uuid           NOT NULL DEFAULT gen_random_uuid(),
    purchase_order_id  uuid           NOT NULL,
    inventory_item_id  uuid           NOT NULL,
    quantity           integer        NOT NULL,
    received_quantity  integer        NOT NULL DEFAULT 0,
    unit_cost          numeric(12,2)  NOT NULL DEFAULT 0,
    created_at         timestamptz    NOT NULL DEFAULT now(),
    updated_at         timestamptz    NOT NULL DEFAULT now(),
    CONSTRAINT purchase_order_items_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE purchase_order_items IS
    'A line of an order.';

-- Undoes 20251104011400_schema_inventory.

DROP TABLE purchase_order_items;
DROP TABLE purchase_orders;
DROP TABLE maintenance_logs;
DROP TABLE inventory_transactions;
DROP TABLE inventory_items;
DROP TABLE suppliers;
DROP TABLE vendors;

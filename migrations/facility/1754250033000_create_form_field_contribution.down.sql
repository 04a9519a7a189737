-- 1754250033000 create_form_field_contribution, undone

SELECT facility_migration_undo('form_field_contribution');

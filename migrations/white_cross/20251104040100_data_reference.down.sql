-- Undoes 20251104040100_data_reference.

DELETE FROM vaccination_schedules
 WHERE id = encode(substring(sha256(convert_to('vaccination_schedules:' || cvx_code, 'UTF8')) FOR 16), 'hex')::uuid;

DELETE FROM data_retention_policies
 WHERE id = encode(substring(sha256(convert_to('data_retention_policies:' || table_name, 'UTF8')) FOR 16), 'hex')::uuid;

-- Undoes 20251104050400_triggers_integrity. Checksums and alerts stay.

DROP FUNCTION verify_integrity(text);
DROP FUNCTION integrity_record(text, uuid);

DO $$
DECLARE
    tab text;
BEGIN
    FOREACH tab IN ARRAY ARRAY['billing_claims', 'consent_signatures', 'phi_disclosures'] LOOP
        EXECUTE format('DROP TRIGGER integrity_follow_update ON %I', tab);
    END LOOP;
    FOREACH tab IN ARRAY integrity_tables() LOOP
        EXECUTE format('DROP TRIGGER integrity_follow ON %I', tab);
    END LOOP;
END $$;
DROP FUNCTION integrity_follow();
DROP FUNCTION integrity_alert(text, uuid, uuid, text);

DROP FUNCTION verify_tamper_chain(bigint, bytea);
DROP FUNCTION tamper_chain_head();
DROP TRIGGER tamper_chain ON tamper_alerts;
DROP FUNCTION tamper_chain();

DROP FUNCTION integrity_digest(text, jsonb);
DROP FUNCTION integrity_tables();
DROP FUNCTION integrity_columns(text);

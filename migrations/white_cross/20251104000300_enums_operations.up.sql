-- 20251104000300_enums_operations
-- Purpose: 20 types of operations: states of plans, logs, messages, consents, compliance, inventory
--     and synchronisation.
-- HIPAA: no data.
-- Depends on: nothing.

-- A type that is there already is taken as it is if its labels are the same, in the same order;
-- a type of another shape is a conflict. A down step cannot take a label away, so each type is
-- made whole, once.

DO $$
BEGIN
    CREATE TYPE immunization_status AS ENUM (
        'DUE', 'COMPLETE', 'OVERDUE', 'EXEMPT', 'CONTRAINDICATED'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('immunization_status'))
       IS DISTINCT FROM 'DUE COMPLETE OVERDUE EXEMPT CONTRAINDICATED' THEN
        RAISE EXCEPTION 'type immunization_status exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE lab_result_status AS ENUM (
        'ORDERED', 'COLLECTED', 'PRELIMINARY', 'FINAL', 'CORRECTED', 'CANCELLED'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('lab_result_status'))
       IS DISTINCT FROM 'ORDERED COLLECTED PRELIMINARY FINAL CORRECTED CANCELLED' THEN
        RAISE EXCEPTION 'type lab_result_status exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE treatment_plan_status AS ENUM (
        'DRAFT', 'ACTIVE', 'COMPLETED', 'DISCONTINUED'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('treatment_plan_status'))
       IS DISTINCT FROM 'DRAFT ACTIVE COMPLETED DISCONTINUED' THEN
        RAISE EXCEPTION 'type treatment_plan_status exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE clinical_note_type AS ENUM (
        'PROGRESS', 'SOAP', 'NURSING', 'PHONE', 'DISCHARGE', 'OTHER'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('clinical_note_type'))
       IS DISTINCT FROM 'PROGRESS SOAP NURSING PHONE DISCHARGE OTHER' THEN
        RAISE EXCEPTION 'type clinical_note_type exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE mental_health_record_type AS ENUM (
        'ASSESSMENT', 'COUNSELING', 'CRISIS', 'REFERRAL', 'SAFETY_PLAN'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('mental_health_record_type'))
       IS DISTINCT FROM 'ASSESSMENT COUNSELING CRISIS REFERRAL SAFETY_PLAN' THEN
        RAISE EXCEPTION 'type mental_health_record_type exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE medication_log_status AS ENUM (
        'GIVEN', 'REFUSED', 'MISSED', 'HELD', 'PARTIAL'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('medication_log_status'))
       IS DISTINCT FROM 'GIVEN REFUSED MISSED HELD PARTIAL' THEN
        RAISE EXCEPTION 'type medication_log_status exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE waitlist_status AS ENUM (
        'WAITING', 'OFFERED', 'BOOKED', 'EXPIRED', 'CANCELLED'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('waitlist_status'))
       IS DISTINCT FROM 'WAITING OFFERED BOOKED EXPIRED CANCELLED' THEN
        RAISE EXCEPTION 'type waitlist_status exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE witness_type AS ENUM (
        'STUDENT', 'STAFF', 'PARENT', 'OTHER'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('witness_type'))
       IS DISTINCT FROM 'STUDENT STAFF PARENT OTHER' THEN
        RAISE EXCEPTION 'type witness_type exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE message_priority AS ENUM (
        'LOW', 'NORMAL', 'HIGH', 'URGENT'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('message_priority'))
       IS DISTINCT FROM 'LOW NORMAL HIGH URGENT' THEN
        RAISE EXCEPTION 'type message_priority exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE delivery_status AS ENUM (
        'QUEUED', 'SENT', 'DELIVERED', 'READ', 'FAILED'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('delivery_status'))
       IS DISTINCT FROM 'QUEUED SENT DELIVERED READ FAILED' THEN
        RAISE EXCEPTION 'type delivery_status exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE conversation_type AS ENUM (
        'DIRECT', 'GROUP', 'BROADCAST'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('conversation_type'))
       IS DISTINCT FROM 'DIRECT GROUP BROADCAST' THEN
        RAISE EXCEPTION 'type conversation_type exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE device_platform AS ENUM (
        'IOS', 'ANDROID', 'WEB'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('device_platform'))
       IS DISTINCT FROM 'IOS ANDROID WEB' THEN
        RAISE EXCEPTION 'type device_platform exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE consent_status AS ENUM (
        'PENDING', 'GRANTED', 'DENIED', 'WITHDRAWN', 'EXPIRED'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('consent_status'))
       IS DISTINCT FROM 'PENDING GRANTED DENIED WITHDRAWN EXPIRED' THEN
        RAISE EXCEPTION 'type consent_status exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE compliance_item_status AS ENUM (
        'OPEN', 'IN_PROGRESS', 'MET', 'NOT_MET', 'NOT_APPLICABLE'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('compliance_item_status'))
       IS DISTINCT FROM 'OPEN IN_PROGRESS MET NOT_MET NOT_APPLICABLE' THEN
        RAISE EXCEPTION 'type compliance_item_status exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE violation_severity AS ENUM (
        'LOW', 'MEDIUM', 'HIGH', 'CRITICAL'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('violation_severity'))
       IS DISTINCT FROM 'LOW MEDIUM HIGH CRITICAL' THEN
        RAISE EXCEPTION 'type violation_severity exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE policy_status AS ENUM (
        'DRAFT', 'IN_REVIEW', 'PUBLISHED', 'RETIRED'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('policy_status'))
       IS DISTINCT FROM 'DRAFT IN_REVIEW PUBLISHED RETIRED' THEN
        RAISE EXCEPTION 'type policy_status exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE retention_action AS ENUM (
        'RETAIN', 'ARCHIVE', 'DESTROY', 'ANONYMIZE'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('retention_action'))
       IS DISTINCT FROM 'RETAIN ARCHIVE DESTROY ANONYMIZE' THEN
        RAISE EXCEPTION 'type retention_action exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE inventory_transaction_type AS ENUM (
        'RECEIPT', 'ISSUE', 'ADJUSTMENT', 'TRANSFER', 'DISPOSAL', 'RETURN'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('inventory_transaction_type'))
       IS DISTINCT FROM 'RECEIPT ISSUE ADJUSTMENT TRANSFER DISPOSAL RETURN' THEN
        RAISE EXCEPTION 'type inventory_transaction_type exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE purchase_order_status AS ENUM (
        'DRAFT', 'SUBMITTED', 'APPROVED', 'ORDERED', 'RECEIVED', 'CANCELLED'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('purchase_order_status'))
       IS DISTINCT FROM 'DRAFT SUBMITTED APPROVED ORDERED RECEIVED CANCELLED' THEN
        RAISE EXCEPTION 'type purchase_order_status exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE sync_status AS ENUM (
        'PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('sync_status'))
       IS DISTINCT FROM 'PENDING RUNNING COMPLETED FAILED CANCELLED' THEN
        RAISE EXCEPTION 'type sync_status exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

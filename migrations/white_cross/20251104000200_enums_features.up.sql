-- 20251104000200_enums_features
-- Purpose: 24 types of the features: disclosures, alerts, drugs, clinic visits, billing, reports,
--     exports, sharing, registries, student information systems.
-- HIPAA: no data.
-- Depends on: nothing.

-- A type that is there already is taken as it is if its labels are the same, in the same order;
-- a type of another shape is a conflict. A down step cannot take a label away, so each type is
-- made whole, once.

DO $$
BEGIN
    CREATE TYPE disclosure_type AS ENUM (
        'AUTHORIZED', 'PERMITTED', 'REQUIRED_BY_LAW', 'INCIDENTAL', 'BREACH'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('disclosure_type'))
       IS DISTINCT FROM 'AUTHORIZED PERMITTED REQUIRED_BY_LAW INCIDENTAL BREACH' THEN
        RAISE EXCEPTION 'type disclosure_type exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE disclosure_purpose AS ENUM (
        'TREATMENT', 'PAYMENT', 'OPERATIONS', 'PUBLIC_HEALTH', 'OVERSIGHT', 'LEGAL',
        'LAW_ENFORCEMENT', 'RESEARCH', 'ABUSE_REPORT', 'EMERGENCY', 'OTHER'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('disclosure_purpose'))
       IS DISTINCT FROM 'TREATMENT PAYMENT OPERATIONS PUBLIC_HEALTH OVERSIGHT LEGAL LAW_ENFORCEMENT'
                || ' RESEARCH ABUSE_REPORT EMERGENCY OTHER' THEN
        RAISE EXCEPTION 'type disclosure_purpose exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE disclosure_method AS ENUM (
        'VERBAL', 'PAPER', 'FAX', 'EMAIL', 'PORTAL', 'INTERFACE'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('disclosure_method'))
       IS DISTINCT FROM 'VERBAL PAPER FAX EMAIL PORTAL INTERFACE' THEN
        RAISE EXCEPTION 'type disclosure_method exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE recipient_type AS ENUM (
        'GUARDIAN', 'PROVIDER', 'INSURER', 'HEALTH_AGENCY', 'LAW_ENFORCEMENT',
        'COURT', 'SCHOOL', 'OTHER'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('recipient_type'))
       IS DISTINCT FROM 'GUARDIAN PROVIDER INSURER HEALTH_AGENCY LAW_ENFORCEMENT COURT SCHOOL OTHER' THEN
        RAISE EXCEPTION 'type recipient_type exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE alert_severity AS ENUM (
        'INFO', 'LOW', 'MEDIUM', 'HIGH', 'CRITICAL', 'EMERGENCY'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('alert_severity'))
       IS DISTINCT FROM 'INFO LOW MEDIUM HIGH CRITICAL EMERGENCY' THEN
        RAISE EXCEPTION 'type alert_severity exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE alert_category AS ENUM (
        'HEALTH', 'MEDICATION', 'ALLERGY', 'IMMUNIZATION', 'OUTBREAK', 'SAFETY',
        'COMPLIANCE', 'SECURITY', 'SYSTEM'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('alert_category'))
       IS DISTINCT FROM 'HEALTH MEDICATION ALLERGY IMMUNIZATION OUTBREAK SAFETY COMPLIANCE SECURITY'
                || ' SYSTEM' THEN
        RAISE EXCEPTION 'type alert_category exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE alert_status AS ENUM (
        'ACTIVE', 'ACKNOWLEDGED', 'ESCALATED', 'RESOLVED', 'DISMISSED', 'EXPIRED'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('alert_status'))
       IS DISTINCT FROM 'ACTIVE ACKNOWLEDGED ESCALATED RESOLVED DISMISSED EXPIRED' THEN
        RAISE EXCEPTION 'type alert_status exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE delivery_channel AS ENUM (
        'WEBSOCKET', 'EMAIL', 'SMS', 'PUSH', 'IN_APP'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('delivery_channel'))
       IS DISTINCT FROM 'WEBSOCKET EMAIL SMS PUSH IN_APP' THEN
        RAISE EXCEPTION 'type delivery_channel exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE drug_interaction_severity AS ENUM (
        'UNKNOWN', 'NONE', 'MINOR', 'MODERATE', 'MAJOR', 'CONTRAINDICATED'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('drug_interaction_severity'))
       IS DISTINCT FROM 'UNKNOWN NONE MINOR MODERATE MAJOR CONTRAINDICATED' THEN
        RAISE EXCEPTION 'type drug_interaction_severity exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE drug_evidence_level AS ENUM (
        'ESTABLISHED', 'PROBABLE', 'SUSPECTED', 'THEORETICAL'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('drug_evidence_level'))
       IS DISTINCT FROM 'ESTABLISHED PROBABLE SUSPECTED THEORETICAL' THEN
        RAISE EXCEPTION 'type drug_evidence_level exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE disposition AS ENUM (
        'RETURNED_TO_CLASS', 'OBSERVATION', 'SENT_HOME', 'REFERRED',
        'EMERGENCY_TRANSPORT', 'OTHER'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('disposition'))
       IS DISTINCT FROM 'RETURNED_TO_CLASS OBSERVATION SENT_HOME REFERRED EMERGENCY_TRANSPORT OTHER' THEN
        RAISE EXCEPTION 'type disposition exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE reminder_status AS ENUM (
        'PENDING', 'SENT', 'FAILED', 'ACKNOWLEDGED', 'CANCELLED'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('reminder_status'))
       IS DISTINCT FROM 'PENDING SENT FAILED ACKNOWLEDGED CANCELLED' THEN
        RAISE EXCEPTION 'type reminder_status exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE claim_status AS ENUM (
        'DRAFT', 'SUBMITTED', 'ACCEPTED', 'DENIED', 'PAID', 'APPEALED', 'VOID'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('claim_status'))
       IS DISTINCT FROM 'DRAFT SUBMITTED ACCEPTED DENIED PAID APPEALED VOID' THEN
        RAISE EXCEPTION 'type claim_status exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE report_category AS ENUM (
        'CLINICAL', 'COMPLIANCE', 'IMMUNIZATION', 'INCIDENT', 'ADMINISTRATIVE'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('report_category'))
       IS DISTINCT FROM 'CLINICAL COMPLIANCE IMMUNIZATION INCIDENT ADMINISTRATIVE' THEN
        RAISE EXCEPTION 'type report_category exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE report_status AS ENUM (
        'QUEUED', 'RUNNING', 'READY', 'FAILED', 'EXPIRED'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('report_status'))
       IS DISTINCT FROM 'QUEUED RUNNING READY FAILED EXPIRED' THEN
        RAISE EXCEPTION 'type report_status exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE export_format AS ENUM (
        'CSV', 'XLSX', 'JSON', 'PDF'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('export_format'))
       IS DISTINCT FROM 'CSV XLSX JSON PDF' THEN
        RAISE EXCEPTION 'type export_format exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE export_job_status AS ENUM (
        'QUEUED', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('export_job_status'))
       IS DISTINCT FROM 'QUEUED RUNNING COMPLETED FAILED CANCELLED' THEN
        RAISE EXCEPTION 'type export_job_status exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE share_permission AS ENUM (
        'VIEW', 'DOWNLOAD', 'EDIT'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('share_permission'))
       IS DISTINCT FROM 'VIEW DOWNLOAD EDIT' THEN
        RAISE EXCEPTION 'type share_permission exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE document_access_action AS ENUM (
        'VIEWED', 'DOWNLOADED', 'EDITED', 'DENIED'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('document_access_action'))
       IS DISTINCT FROM 'VIEWED DOWNLOADED EDITED DENIED' THEN
        RAISE EXCEPTION 'type document_access_action exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE registry_protocol AS ENUM (
        'HL7_SOAP', 'HL7_SFTP', 'FHIR', 'FLAT_FILE'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('registry_protocol'))
       IS DISTINCT FROM 'HL7_SOAP HL7_SFTP FHIR FLAT_FILE' THEN
        RAISE EXCEPTION 'type registry_protocol exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE submission_status AS ENUM (
        'PENDING', 'SUBMITTED', 'ACCEPTED', 'REJECTED', 'ERROR', 'RETRYING'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('submission_status'))
       IS DISTINCT FROM 'PENDING SUBMITTED ACCEPTED REJECTED ERROR RETRYING' THEN
        RAISE EXCEPTION 'type submission_status exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE sis_vendor AS ENUM (
        'POWERSCHOOL', 'INFINITE_CAMPUS', 'SKYWARD', 'OTHER'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('sis_vendor'))
       IS DISTINCT FROM 'POWERSCHOOL INFINITE_CAMPUS SKYWARD OTHER' THEN
        RAISE EXCEPTION 'type sis_vendor exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE sync_direction AS ENUM (
        'INBOUND', 'OUTBOUND', 'BIDIRECTIONAL'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('sync_direction'))
       IS DISTINCT FROM 'INBOUND OUTBOUND BIDIRECTIONAL' THEN
        RAISE EXCEPTION 'type sync_direction exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE sis_job_status AS ENUM (
        'PENDING', 'RUNNING', 'COMPLETED', 'PARTIAL', 'FAILED', 'CANCELLED'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('sis_job_status'))
       IS DISTINCT FROM 'PENDING RUNNING COMPLETED PARTIAL FAILED CANCELLED' THEN
        RAISE EXCEPTION 'type sis_job_status exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

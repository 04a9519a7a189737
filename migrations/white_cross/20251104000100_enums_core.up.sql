-- 20251104000100_enums_core
-- Purpose: 24 types: users, students, health records, vaccines, screenings, configuration.
-- HIPAA: no data.
-- Depends on: nothing.

-- A type that is there already is taken as it is if its labels are the same, in the same order;
-- a type of another shape is a conflict. A down step cannot take a label away, so each type is
-- made whole, once.

DO $$
BEGIN
    CREATE TYPE user_role AS ENUM (
        'ADMIN', 'NURSE', 'SCHOOL_ADMIN', 'DISTRICT_ADMIN', 'VIEWER', 'COUNSELOR'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('user_role'))
       IS DISTINCT FROM 'ADMIN NURSE SCHOOL_ADMIN DISTRICT_ADMIN VIEWER COUNSELOR' THEN
        RAISE EXCEPTION 'type user_role exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE gender AS ENUM (
        'MALE', 'FEMALE', 'OTHER', 'PREFER_NOT_TO_SAY'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('gender'))
       IS DISTINCT FROM 'MALE FEMALE OTHER PREFER_NOT_TO_SAY' THEN
        RAISE EXCEPTION 'type gender exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE contact_type AS ENUM (
        'GUARDIAN', 'PROVIDER', 'STAFF', 'VENDOR', 'OTHER'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('contact_type'))
       IS DISTINCT FROM 'GUARDIAN PROVIDER STAFF VENDOR OTHER' THEN
        RAISE EXCEPTION 'type contact_type exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE health_record_type AS ENUM (
        'CHECKUP', 'PHYSICAL_EXAM', 'SPORTS_PHYSICAL', 'VACCINATION', 'ILLNESS',
        'INJURY', 'ALLERGY', 'ALLERGIC_REACTION', 'ASTHMA_EPISODE',
        'SEIZURE_EPISODE', 'DIABETES_MANAGEMENT', 'CHRONIC_CONDITION',
        'MEDICATION_REVIEW', 'VISION_SCREENING', 'HEARING_SCREENING',
        'SCOLIOSIS_SCREENING', 'DENTAL_SCREENING', 'GROWTH_ASSESSMENT',
        'VITAL_SIGNS', 'LAB_RESULT', 'IMAGING', 'DIAGNOSIS', 'TREATMENT',
        'PROCEDURE', 'HOSPITALIZATION', 'SURGERY', 'MENTAL_HEALTH', 'CONSULTATION',
        'REFERRAL', 'OTHER'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('health_record_type'))
       IS DISTINCT FROM 'CHECKUP PHYSICAL_EXAM SPORTS_PHYSICAL VACCINATION ILLNESS INJURY ALLERGY'
                || ' ALLERGIC_REACTION ASTHMA_EPISODE SEIZURE_EPISODE DIABETES_MANAGEMENT'
                || ' CHRONIC_CONDITION MEDICATION_REVIEW VISION_SCREENING HEARING_SCREENING'
                || ' SCOLIOSIS_SCREENING DENTAL_SCREENING GROWTH_ASSESSMENT VITAL_SIGNS LAB_RESULT'
                || ' IMAGING DIAGNOSIS TREATMENT PROCEDURE HOSPITALIZATION SURGERY MENTAL_HEALTH'
                || ' CONSULTATION REFERRAL OTHER' THEN
        RAISE EXCEPTION 'type health_record_type exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE allergy_type AS ENUM (
        'FOOD', 'MEDICATION', 'ENVIRONMENTAL', 'INSECT', 'LATEX', 'OTHER'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('allergy_type'))
       IS DISTINCT FROM 'FOOD MEDICATION ENVIRONMENTAL INSECT LATEX OTHER' THEN
        RAISE EXCEPTION 'type allergy_type exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE allergy_severity AS ENUM (
        'MILD', 'MODERATE', 'SEVERE', 'LIFE_THREATENING'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('allergy_severity'))
       IS DISTINCT FROM 'MILD MODERATE SEVERE LIFE_THREATENING' THEN
        RAISE EXCEPTION 'type allergy_severity exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE condition_severity AS ENUM (
        'MILD', 'MODERATE', 'SEVERE', 'CRITICAL'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('condition_severity'))
       IS DISTINCT FROM 'MILD MODERATE SEVERE CRITICAL' THEN
        RAISE EXCEPTION 'type condition_severity exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE condition_status AS ENUM (
        'ACTIVE', 'CONTROLLED', 'IN_REMISSION', 'RESOLVED'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('condition_status'))
       IS DISTINCT FROM 'ACTIVE CONTROLLED IN_REMISSION RESOLVED' THEN
        RAISE EXCEPTION 'type condition_status exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE appointment_type AS ENUM (
        'ROUTINE_CHECKUP', 'MEDICATION_ADMINISTRATION', 'INJURY_ASSESSMENT',
        'ILLNESS_EVALUATION', 'FOLLOW_UP', 'SCREENING', 'EMERGENCY'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('appointment_type'))
       IS DISTINCT FROM 'ROUTINE_CHECKUP MEDICATION_ADMINISTRATION INJURY_ASSESSMENT ILLNESS_EVALUATION'
                || ' FOLLOW_UP SCREENING EMERGENCY' THEN
        RAISE EXCEPTION 'type appointment_type exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE appointment_status AS ENUM (
        'SCHEDULED', 'IN_PROGRESS', 'COMPLETED', 'CANCELLED', 'NO_SHOW'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('appointment_status'))
       IS DISTINCT FROM 'SCHEDULED IN_PROGRESS COMPLETED CANCELLED NO_SHOW' THEN
        RAISE EXCEPTION 'type appointment_status exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE prescription_status AS ENUM (
        'PENDING', 'SENT', 'FILLED', 'PICKED_UP', 'DISCONTINUED', 'CANCELLED',
        'EXPIRED'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('prescription_status'))
       IS DISTINCT FROM 'PENDING SENT FILLED PICKED_UP DISCONTINUED CANCELLED EXPIRED' THEN
        RAISE EXCEPTION 'type prescription_status exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE incident_severity AS ENUM (
        'LOW', 'MEDIUM', 'HIGH', 'CRITICAL'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('incident_severity'))
       IS DISTINCT FROM 'LOW MEDIUM HIGH CRITICAL' THEN
        RAISE EXCEPTION 'type incident_severity exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE incident_type AS ENUM (
        'INJURY', 'ILLNESS', 'BEHAVIORAL', 'MEDICATION_ERROR', 'ALLERGIC_REACTION',
        'EMERGENCY', 'OTHER'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('incident_type'))
       IS DISTINCT FROM 'INJURY ILLNESS BEHAVIORAL MEDICATION_ERROR ALLERGIC_REACTION EMERGENCY OTHER' THEN
        RAISE EXCEPTION 'type incident_type exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE config_value_type AS ENUM (
        'STRING', 'NUMBER', 'BOOLEAN', 'JSON', 'ARRAY', 'DATE', 'EMAIL', 'URL'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('config_value_type'))
       IS DISTINCT FROM 'STRING NUMBER BOOLEAN JSON ARRAY DATE EMAIL URL' THEN
        RAISE EXCEPTION 'type config_value_type exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE config_scope AS ENUM (
        'SYSTEM', 'DISTRICT', 'SCHOOL', 'USER'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('config_scope'))
       IS DISTINCT FROM 'SYSTEM DISTRICT SCHOOL USER' THEN
        RAISE EXCEPTION 'type config_scope exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE config_category AS ENUM (
        'GENERAL', 'SECURITY', 'NOTIFICATION', 'INTEGRATION', 'BACKUP',
        'PERFORMANCE', 'HEALTHCARE', 'MEDICATION', 'APPOINTMENT', 'COMPLIANCE'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('config_category'))
       IS DISTINCT FROM 'GENERAL SECURITY NOTIFICATION INTEGRATION BACKUP PERFORMANCE HEALTHCARE'
                || ' MEDICATION APPOINTMENT COMPLIANCE' THEN
        RAISE EXCEPTION 'type config_category exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE vaccine_type AS ENUM (
        'DTAP', 'TDAP', 'TD', 'POLIO', 'MMR', 'MMRV', 'VARICELLA', 'HEPATITIS_A',
        'HEPATITIS_B', 'HIB', 'PCV', 'PPSV23', 'ROTAVIRUS', 'MENACWY', 'MENB',
        'HPV', 'INFLUENZA', 'COVID_19', 'RSV', 'OTHER'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('vaccine_type'))
       IS DISTINCT FROM 'DTAP TDAP TD POLIO MMR MMRV VARICELLA HEPATITIS_A HEPATITIS_B HIB PCV PPSV23'
                || ' ROTAVIRUS MENACWY MENB HPV INFLUENZA COVID_19 RSV OTHER' THEN
        RAISE EXCEPTION 'type vaccine_type exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE administration_site AS ENUM (
        'LEFT_DELTOID', 'RIGHT_DELTOID', 'LEFT_UPPER_ARM', 'RIGHT_UPPER_ARM',
        'LEFT_VASTUS_LATERALIS', 'RIGHT_VASTUS_LATERALIS', 'LEFT_GLUTEAL',
        'RIGHT_GLUTEAL', 'ORAL', 'NASAL', 'OTHER'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('administration_site'))
       IS DISTINCT FROM 'LEFT_DELTOID RIGHT_DELTOID LEFT_UPPER_ARM RIGHT_UPPER_ARM LEFT_VASTUS_LATERALIS'
                || ' RIGHT_VASTUS_LATERALIS LEFT_GLUTEAL RIGHT_GLUTEAL ORAL NASAL OTHER' THEN
        RAISE EXCEPTION 'type administration_site exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE administration_route AS ENUM (
        'INTRAMUSCULAR', 'SUBCUTANEOUS', 'INTRADERMAL', 'ORAL', 'INTRANASAL',
        'INTRAVENOUS', 'OTHER'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('administration_route'))
       IS DISTINCT FROM 'INTRAMUSCULAR SUBCUTANEOUS INTRADERMAL ORAL INTRANASAL INTRAVENOUS OTHER' THEN
        RAISE EXCEPTION 'type administration_route exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE vaccine_compliance_status AS ENUM (
        'COMPLIANT', 'PARTIALLY_COMPLIANT', 'OVERDUE', 'EXEMPT', 'NON_COMPLIANT'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('vaccine_compliance_status'))
       IS DISTINCT FROM 'COMPLIANT PARTIALLY_COMPLIANT OVERDUE EXEMPT NON_COMPLIANT' THEN
        RAISE EXCEPTION 'type vaccine_compliance_status exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE screening_type AS ENUM (
        'VISION', 'HEARING', 'SCOLIOSIS', 'DENTAL', 'BMI', 'BLOOD_PRESSURE',
        'DIABETES', 'LEAD', 'TUBERCULOSIS', 'DEVELOPMENTAL', 'SPEECH_LANGUAGE',
        'MENTAL_HEALTH', 'OTHER'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('screening_type'))
       IS DISTINCT FROM 'VISION HEARING SCOLIOSIS DENTAL BMI BLOOD_PRESSURE DIABETES LEAD TUBERCULOSIS'
                || ' DEVELOPMENTAL SPEECH_LANGUAGE MENTAL_HEALTH OTHER' THEN
        RAISE EXCEPTION 'type screening_type exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE screening_outcome AS ENUM (
        'PASS', 'FAIL', 'REFER', 'INCONCLUSIVE', 'DECLINED'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('screening_outcome'))
       IS DISTINCT FROM 'PASS FAIL REFER INCONCLUSIVE DECLINED' THEN
        RAISE EXCEPTION 'type screening_outcome exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE follow_up_status AS ENUM (
        'NOT_NEEDED', 'PENDING', 'SCHEDULED', 'COMPLETED', 'OVERDUE', 'CANCELLED'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('follow_up_status'))
       IS DISTINCT FROM 'NOT_NEEDED PENDING SCHEDULED COMPLETED OVERDUE CANCELLED' THEN
        RAISE EXCEPTION 'type follow_up_status exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

DO $$
BEGIN
    CREATE TYPE consciousness_level AS ENUM (
        'ALERT', 'CONFUSED', 'VERBAL', 'PAIN', 'DROWSY', 'SEDATED', 'UNRESPONSIVE'
    );
EXCEPTION WHEN duplicate_object THEN
    IF (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder)
          FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype('consciousness_level'))
       IS DISTINCT FROM 'ALERT CONFUSED VERBAL PAIN DROWSY SEDATED UNRESPONSIVE' THEN
        RAISE EXCEPTION 'type consciousness_level exists with another definition'
            USING ERRCODE = 'duplicate_object';
    END IF;
END $$;

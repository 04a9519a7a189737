-- Undoes 20251104000100_enums_core.

-- RESTRICT: fails while a column, a function or another object uses the type.

DROP TYPE consciousness_level;
DROP TYPE follow_up_status;
DROP TYPE screening_outcome;
DROP TYPE screening_type;
DROP TYPE vaccine_compliance_status;
DROP TYPE administration_route;
DROP TYPE administration_site;
DROP TYPE vaccine_type;
DROP TYPE config_category;
DROP TYPE config_scope;
DROP TYPE config_value_type;
DROP TYPE incident_type;
DROP TYPE incident_severity;
DROP TYPE prescription_status;
DROP TYPE appointment_status;
DROP TYPE appointment_type;
DROP TYPE condition_status;
DROP TYPE condition_severity;
DROP TYPE allergy_severity;
DROP TYPE allergy_type;
DROP TYPE health_record_type;
DROP TYPE contact_type;
DROP TYPE gender;
DROP TYPE user_role;

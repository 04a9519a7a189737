//! The rules by which names suggest PHI. Owns the lists of names, which are those of the field: HIPAA's identifiers
//! (45 CFR 164.514(b)(2)) and what records of health call their contents. Does not weigh them.
//!
//! A name is a run of a column's words, written together: `dateofbirth` is found in `date_of_birth`, `DateOfBirth` and
//! `patientDateOfBirth`. The first rule that matches holds, so the more special ones come first. Lists are words with blanks
//! between them.

use super::{Class, Kind};
use crate::store::Form;

/// How much a name says, depending on whom the table is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nature {
    /// It identifies a person wherever it stands.
    Identifier,
    /// It is of a person, a member of the staff, or a company.
    Personal,
    /// It names somebody else who has to do with the person.
    Mention,
    /// It says something of a person's health.
    Health,
    /// A number that is measured.
    Measure,
    /// Free text that is there to say something of a person.
    Note,
    /// Free text of any kind.
    Text,
    /// It helps to identify a person.
    Trace,
}

/// Names that mean the same.
pub(super) struct Rule {
    pub(super) kind: Kind,
    pub(super) nature: Nature,
    /// Types that such a column may have.
    pub(super) classes: &'static [Class],
    /// Forms that its values should have, one of them; empty if they have none.
    pub(super) forms: &'static [Form],
    /// Names that may stand within a longer one.
    pub(super) names: &'static str,
    /// Names that must be the whole one.
    pub(super) whole: &'static str,
}

const TEXT: &[Class] = &[Class::Text];
const WRITTEN: &[Class] = &[Class::Text, Class::Json];
const CODED: &[Class] = &[Class::Text, Class::Number];
const HEALTH: &[Class] = &[Class::Text, Class::Json, Class::Number];
const DATED: &[Class] = &[Class::Date, Class::Time, Class::Text];
const PLACED: &[Class] = &[Class::Text, Class::Number, Class::Json];
const STORED: &[Class] = &[Class::Text, Class::Bytes, Class::Json];

/// Nothing with one of these words is PHI that phiseal should seal: passwords are hashed, and the rest is sealed
/// already.
pub(super) const NEVER: &str = "password passwd pwd passphrase hash hashed digest salt token secret otp totp apikey checksum encrypted cipher \
    ciphertext sealed bidx etag nonce permission template placeholder";

/// What follows a name and makes it another thing: `phone_type` is no phone number.
pub(super) const TAILS: &str = "type kind status category flag count total amount cost price fee verified confirmed enabled disabled active \
    required allowed preference preferred format method order index key at on by until since version level priority id \
    uuid url uri mime size language locale timezone zone class code sent opt optin visible limit max min interval \
    schedule date time schema table column policy";

pub(super) const RULES: &[Rule] = &[
    Rule {
        kind: Kind::SocialSecurity,
        nature: Nature::Identifier,
        classes: CODED,
        forms: &[Form::Ssn, Form::Number],
        names: "ssn socialsecurity socialsecuritynumber socialsecurityno socsec socsecno taxpayerid itin \
            nationalinsurancenumber nino",
        whole: "sin ss ssno",
    },
    Rule {
        kind: Kind::BirthDate,
        nature: Nature::Identifier,
        classes: DATED,
        forms: &[Form::Day],
        names: "dob birthdate dateofbirth birthday birthdt datebirth bday dateborn borndate bornon birthtime",
        whole: "birth born",
    },
    Rule {
        kind: Kind::DeathDate,
        nature: Nature::Identifier,
        classes: DATED,
        forms: &[Form::Day],
        names: "deathdate dateofdeath deceasedat deceaseddate deathdt datedeceased diedon deceasedon",
        whole: "dod died deceased death",
    },
    Rule {
        kind: Kind::IpAddress,
        nature: Nature::Trace,
        classes: &[Class::Inet, Class::Text],
        forms: &[Form::Ip],
        names: "ipaddress ipaddr remoteip clientip loginip sourceip remoteaddr",
        whole: "ip",
    },
    Rule {
        kind: Kind::Device,
        nature: Nature::Trace,
        classes: CODED,
        forms: &[],
        names: "macaddress deviceid deviceserial serialnumber imei licenseplate vin vehicleid useragent deviceidentifier \
            implantid udi",
        whole: "",
    },
    Rule {
        kind: Kind::Email,
        nature: Nature::Personal,
        classes: TEXT,
        forms: &[Form::Email],
        names: "email emailaddress emailaddr mailaddress",
        whole: "mail",
    },
    Rule {
        kind: Kind::Phone,
        nature: Nature::Personal,
        classes: CODED,
        forms: &[Form::Phone, Form::Number],
        names: "phone telephone phonenumber phoneno mobilephone mobilenumber mobileno cellphone cellnumber homephone \
            workphone fax faxnumber msisdn contactnumber telno telnumber whatsapp pager",
        whole: "tel mobile cell",
    },
    Rule {
        kind: Kind::Postcode,
        nature: Nature::Personal,
        classes: CODED,
        forms: &[Form::Postcode],
        names: "zipcode postcode postalcode postal zip plz postnumber",
        whole: "",
    },
    Rule {
        kind: Kind::RecordNumber,
        nature: Nature::Identifier,
        classes: CODED,
        forms: &[],
        names: "mrn medicalrecordnumber medicalrecordno medicalrecord medrecnumber medrecno chartnumber chartno \
            patientnumber patientno patientidentifier patientcode studentnumber studentno clientnumber residentnumber \
            hospitalnumber nhsnumber nhsno ehrid emrid healthrecordnumber personalnumber personnumber healthcardnumber \
            healthid ihi chinumber",
        whole: "nhs urn",
    },
    Rule {
        kind: Kind::InsuranceNumber,
        nature: Nature::Identifier,
        classes: CODED,
        forms: &[],
        names: "policynumber policyno memberid membernumber memberno groupnumber groupno subscriberid subscribernumber \
            subscriberno insuranceid insurancenumber insuranceno insurancepolicy medicaidid medicaidnumber medicareid \
            medicarenumber mbi hicn beneficiaryid beneficiarynumber claimnumber claimno claimid cardholderid \
            healthplannumber authorizationnumber",
        whole: "medicaid medicare insurance",
    },
    Rule {
        kind: Kind::IdentityNumber,
        nature: Nature::Identifier,
        classes: CODED,
        forms: &[],
        names: "passport passportnumber passportno driverlicense driverlicence driverslicense driverslicence \
            drivinglicense drivinglicence driverlicensenumber driverslicensenumber licencenumber dlnumber nationalid \
            nationalidnumber idcard idcardnumber identitycard visanumber aliennumber rxnumber prescriptionnumber",
        whole: "",
    },
    Rule {
        kind: Kind::AccountNumber,
        nature: Nature::Personal,
        classes: CODED,
        forms: &[],
        names: "accountnumber accountno bankaccount iban routingnumber creditcard creditcardnumber cardnumber cardno",
        whole: "pan",
    },
    Rule {
        kind: Kind::Image,
        nature: Nature::Personal,
        classes: STORED,
        forms: &[],
        names: "photo photograph portrait signature fingerprint biometric voiceprint retina faceimage facescan xray dicom",
        whole: "picture scan image",
    },
    Rule {
        kind: Kind::Name,
        nature: Nature::Personal,
        classes: TEXT,
        forms: &[],
        names: "firstname lastname middlename givenname familyname surname fullname fname lname mname maidenname nickname \
            preferredname forename legalname birthname middleinitial patientname studentname clientname residentname \
            membername guardianname parentname mothername mothersname fathername fathersname mothersmaidenname \
            childname spousename contactname kinname relativename insuredname subscribername personname aliasname \
            witnessname signername",
        whole: "first last middle maiden alias guardian nextofkin mother father parent spouse emergencycontact given \
            family",
    },
    Rule {
        kind: Kind::Name,
        nature: Nature::Mention,
        classes: TEXT,
        forms: &[],
        names: "providername prescribername physicianname doctorname nursename therapistname clinicianname recipientname \
            sendername staffname teachername reportername caregivername responsiblename pharmacistname contact",
        whole: "provider prescriber physician doctor recipient caregiver relative",
    },
    Rule {
        kind: Kind::Address,
        nature: Nature::Personal,
        classes: PLACED,
        forms: &[],
        names: "address addr street streetaddress addressline mailingaddress homeaddress streetname housenumber apartment \
            birthplace placeofbirth birthcity recipientaddress gpslocation geolocation",
        whole: "city town village county lat lon lng latitude longitude coordinate line suburb neighborhood neighbourhood",
    },
    Rule {
        kind: Kind::Measurement,
        nature: Nature::Measure,
        classes: CODED,
        forms: &[],
        names: "height weight bmi bodymassindex temperature heartrate pulse pulserate respiratoryrate respirationrate \
            systolic diastolic bloodpressure oxygensaturation spo painscore painlevel glucose bloodsugar hemoglobin \
            cholesterol headcircumference gestationalage apgar",
        whole: "temp bp hr rr",
    },
    Rule {
        kind: Kind::Health,
        nature: Nature::Health,
        classes: HEALTH,
        forms: &[Form::Icd],
        names: "icd icdcode diagnosiscode dxcode conditioncode procedurecode snomed loinc",
        whole: "",
    },
    Rule {
        kind: Kind::Health,
        nature: Nature::Health,
        classes: HEALTH,
        forms: &[],
        names: "diagnosis diagnose symptom complaint presentingproblem chiefcomplaint treatment allergen allergy \
            adversereaction sideeffect medication drugname dosage dosagegiven prescription vaccine vaccinename \
            immunization labresult testname testresult resultvalue interpretation impression prognosis anamnesis \
            medicalhistory familyhistory careplan intervention injury disability bloodtype bloodgroup pregnancy \
            pregnant hivstatus genetic mentalhealth riskassessment emergencyprotocol exemptionreason refusalreason \
            disease illness hlmessage procedure surgery observationvalue findings finding",
        whole: "dx rx condition reaction dose strength assessment result history diet mobility behaviour behavior \
            restriction risk goal subjective objective plan frequency lotnumber pharmacy",
    },
    Rule {
        kind: Kind::FreeText,
        nature: Nature::Note,
        classes: WRITTEN,
        forms: &[],
        names: "note comment remark narrative observation counselingnote clinicalnote progressnote memo statement \
            transcript transcription",
        whole: "",
    },
    Rule {
        kind: Kind::FreeText,
        nature: Nature::Text,
        classes: STORED,
        forms: &[],
        names: "description detail summary reason message body content instruction feedback freetext attachment \
            actiontaken response payload rawdata explanation",
        whole: "subject text title answer document",
    },
    Rule {
        kind: Kind::CareDate,
        nature: Nature::Trace,
        classes: DATED,
        forms: &[],
        names: "admissiondate admitdate admittedat dischargedate dischargedat dateofservice servicedate visitdate \
            encounterdate onsetdate proceduredate",
        whole: "",
    },
];

//! What administrators write: names of districts, vendors, reports, settings; codes, tokens, links.
//! Always holds: no token opens anything, and every link leads to example.org.

use rand::RngExt;

use super::{At, Rule, Rules, people};
use Rule::{Numbered, OneOf, Words};

pub const RULES: Rules = &[
    ("districts.name", Words(district)),
    ("schools.name", Words(school)),
    ("tenant.name", Words(district)),
    ("facility.name", Words(facility)),
    ("facility_name", Words(facility)),
    ("vendors.name", Words(company)),
    ("suppliers.name", Words(company)),
    ("organization", Words(company)),
    ("contact_name", Words(people::other)),
    ("inventory_items.name", OneOf(&ITEMS)),
    (
        "metric",
        OneOf(&[
            "visits",
            "immunization_rate",
            "absence_rate",
            "asthma_visits",
        ]),
    ),
    (
        "performance_metrics.name",
        OneOf(&["request_seconds", "queue_depth", "cache_hits"]),
    ),
    (
        "report_type",
        OneOf(&["IMMUNIZATION", "INCIDENT", "ATTENDANCE", "MEDICATION"]),
    ),
    (
        "form_type",
        OneOf(&["TREATMENT", "MEDICATION", "DISCLOSURE"]),
    ),
    ("form_name", Words(form)),
    (
        "document_type",
        OneOf(&["CARE_PLAN", "IMMUNIZATION_RECORD", "CONSENT", "LETTER"]),
    ),
    ("entity_type", OneOf(&TABLES)),
    ("table_name", OneOf(&TABLES)),
    ("column_name", OneOf(&COLUMNS)),
    ("field_name", OneOf(&COLUMNS)),
    ("changed_columns", OneOf(&COLUMNS)),
    ("counted_from", OneOf(&["created_at"])),
    (
        "legal_basis",
        OneOf(&["45 CFR 164.530(j)", "45 CFR 164.528", "State law"]),
    ),
    (
        "citation",
        OneOf(&[
            "45 CFR 164.308(a)(1)",
            "45 CFR 164.312(b)",
            "45 CFR 164.528",
        ]),
    ),
    (
        "action",
        OneOf(&["CREATE", "READ", "UPDATE", "EXPORT", "LOGIN"]),
    ),
    ("operation", OneOf(&["INSERT", "UPDATE", "DELETE"])),
    (
        "event",
        OneOf(&[
            "backup.finished",
            "migration.applied",
            "login.failed",
            "policy.changed",
        ]),
    ),
    (
        "events",
        OneOf(&["visit.created", "alert.raised", "sync.finished"]),
    ),
    ("features", OneOf(&["billing", "analytics", "registry"])),
    ("tags", OneOf(&["clinic", "security", "sync"])),
    ("categories", OneOf(&["HEALTH", "SAFETY"])),
    ("variables", OneOf(&["student", "date", "school"])),
    ("system_configurations.key", Numbered(setting)),
    ("cache_entries.key", Numbered(setting)),
    ("code", Numbered(code)),
    ("slug", Numbered(slug)),
    ("sku", Numbered(code)),
    ("*_code", Words(short_code)),
    ("*_number", Numbered(document_number)),
    ("order_number", Numbered(document_number)),
    ("license_number", Numbered(document_number)),
    ("claim_number", Numbered(claim)),
    ("reference", Numbered(document_number)),
    (
        "academic_year",
        OneOf(&["2023-2024", "2024-2025", "2025-2026"]),
    ),
    ("term", OneOf(&["FALL", "SPRING", "YEAR"])),
    (
        "grade_level",
        OneOf(&[
            "K", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12",
        ]),
    ),
    ("language", OneOf(&["en", "es", "vi"])),
    ("emoji", OneOf(&["👍", "❤️", "✅", "🙏"])),
    ("cron", OneOf(&["0 6 * * 1-5", "0 2 * * 0", "30 7 1 * *"])),
    ("algorithm", OneOf(&["EARS C1", "EARS C2", "CUSUM"])),
    (
        "threat_type",
        OneOf(&["BRUTE_FORCE", "UNUSUAL_EXPORT", "NEW_COUNTRY"]),
    ),
    ("backup_type", OneOf(&["FULL", "INCREMENTAL", "WAL"])),
    (
        "integration_type",
        OneOf(&["SIS", "LAB", "PHARMACY", "REGISTRY"]),
    ),
    ("license_type", OneOf(&["DISTRICT", "TRIAL"])),
    (
        "maintenance_type",
        OneOf(&["Calibration", "Battery", "Cleaning"]),
    ),
    (
        "category",
        OneOf(&["Clinical", "Supplies", "Privacy", "Training"]),
    ),
    ("unit", OneOf(&["each", "box", "pack"])),
    ("name", Words(title)),
    ("title", Words(title)),
    ("subject", Words(title)),
    ("body", Words(message)),
    ("message", Words(message)),
    ("content", Words(remark)),
    ("resolution", OneOf(&["FIXED", "DISMISSED"])),
    ("severity", OneOf(&["LOW", "MEDIUM", "HIGH"])),
    ("status", OneOf(&["active", "pending", "completed"])),
    ("role", OneOf(&["patient", "provider", "admin"])),
    ("contributor.role", OneOf(&["AUTHOR", "REVIEWER"])),
    (
        "facility_staff.role",
        OneOf(&["NURSE", "CAREGIVER", "MANAGER"]),
    ),
    ("type", OneOf(&["TREATMENT", "DISCLOSURE", "RESEARCH"])),
    ("*url", Numbered(link)),
    ("endpoint", Numbered(link)),
    ("destination", Numbered(link)),
    ("*password*", Numbered(password)),
    ("*secret*", Numbered(token)),
    ("*token*", Numbered(token)),
    ("credentials", Numbered(token)),
    ("device_id", Numbered(token)),
    ("supertokens_user_id", Numbered(token)),
    ("cursor_value", Numbered(token)),
    (
        "device_name",
        OneOf(&["Nurse's tablet", "Front desk", "Phone"]),
    ),
    ("*tax_id*", Numbered(tax)),
    ("ip_address", Words(address)),
    (
        "user_agent",
        OneOf(&["Mozilla/5.0 (X11; Linux x86_64)", "ClinicApp/4.2 (iPad)"]),
    ),
    ("*version*", OneOf(&["1.0", "1.1", "2.0"])),
    ("*_type", OneOf(&["STANDARD", "OTHER"])),
];

const TABLES: [&str; 8] = [
    "students",
    "health_records",
    "allergies",
    "vaccinations",
    "clinic_visits",
    "prescriptions",
    "appointments",
    "incident_reports",
];
const COLUMNS: [&str; 6] = [
    "status",
    "severity",
    "notes",
    "first_name",
    "follow_up_date",
    "grade",
];
const ITEMS: [&str; 8] = [
    "Gauze pads 4x4",
    "Ice packs",
    "Exam gloves, M",
    "Thermometer covers",
    "Spacers",
    "Epinephrine 0.3 mg",
    "Glucose tablets",
    "Adhesive bandages",
];
const TITLES: [&str; 10] = [
    "Fever in the third grade",
    "Immunizations due",
    "Medication times changed",
    "Flu clinic on Friday",
    "Inhaler needed for the trip",
    "Visit summary",
    "Yearly health review",
    "Consent missing",
    "Care plan updated",
    "Screening results",
];

fn district(at: &At) -> String {
    format!("{} School District {}", people::city(at), at.number())
}

fn school(at: &At) -> String {
    let kind = at.one(&["Elementary", "Middle", "High"]);
    format!("{} {kind} School", people::city(at))
}

fn facility(at: &At) -> String {
    format!(
        "{} {}",
        people::city(at),
        at.one(&["Clinic", "Care Home", "Health Center"])
    )
}

fn company(at: &At) -> String {
    format!(
        "{} {}",
        people::city(at),
        at.one(&["Medical Supply", "Pharma", "Instruments"])
    )
}

fn form(at: &At) -> String {
    at.one(&[
        "Intake",
        "Placement review",
        "Medication consent",
        "Discharge",
    ])
    .to_string()
}

fn setting(at: &At) -> String {
    format!(
        "{}.{}",
        at.one(&["clinic.hours", "alerts.limit", "sync.window"]),
        at.number()
    )
}

fn code(at: &At) -> String {
    format!("C{:06}", at.number())
}

fn slug(at: &At) -> String {
    format!("{}-{}", people::city(at).to_lowercase(), at.number())
}

pub fn short_code(at: &At) -> String {
    format!("E{:03}", at.own().random_range(100..400))
}

fn document_number(at: &At) -> String {
    format!("N-{:07}", at.number())
}

fn claim(at: &At) -> String {
    format!("CLM{:09}", at.number())
}

fn tax(at: &At) -> String {
    format!("00-{:07}", at.number())
}

pub fn title(at: &At) -> String {
    (*at.one(&TITLES)).to_owned()
}

fn message(at: &At) -> String {
    format!("{}: please see {}.", title(at), people::doctor(at))
}

/// Any sentence.
pub fn remark(at: &At) -> String {
    let start = at.one(&["Checked", "Updated", "Reviewed", "Added"]);
    format!(
        "{start} on {} by {}.",
        super::clock::day(at),
        people::other(at)
    )
}

fn link(at: &At) -> String {
    format!("https://example.org/hooks/{}", at.number())
}

fn token(at: &At) -> String {
    let mut dice = at.own();
    format!("{:032x}{:08x}", dice.random::<u128>(), at.number())
}

/// In the form of bcrypt, and the hash of nothing.
fn password(at: &At) -> String {
    let mut dice = at.own();
    let text = format!(
        "{:032x}{:032x}",
        dice.random::<u128>(),
        dice.random::<u128>()
    );
    format!("$2b$12${:0>21}{}", at.number(), &text[..32])
}

fn address(at: &At) -> String {
    format!("192.0.2.{}", at.own().random_range(1..251))
}

//! What clinicians write: diagnoses with their ICD-10-CM codes, vaccines with their CVX codes,
//! findings, notes, plans, messages to registries.
//! The codes are those of the public lists; the notes are made up.

mod words;

use rand::RngExt;

use super::at::Topic;
use super::{At, Rule, Rules, clock, people};
use Rule::{Numbered, OneOf, Words};
use words::{
    ALLERGENS, CONDITIONS, CVX, GOALS, INJURIES, PROBLEMS, PROCEDURES, PROTOCOLS, REACTIONS,
    REASONS, REMARKS, SYMPTOMS, TREATMENTS, VACCINES,
};

pub const RULES: Rules = &[
    ("diagnosis", Words(diagnosis)),
    ("condition", Words(diagnosis)),
    ("diagnosis_code", Words(code)),
    ("diagnosis_codes", Words(code)),
    ("icd10_code", Words(code)),
    ("procedure_codes", OneOf(&PROCEDURES)),
    ("cpt_code", OneOf(&PROCEDURES)),
    ("vaccine_name", Words(vaccine)),
    ("vaccine_type", Words(vaccine_type)),
    ("cvx_code", Words(cvx)),
    ("vaccination_schedules.cvx_code", OneOf(&CVX)),
    ("lot_number", Words(lot)),
    ("allergen", OneOf(&ALLERGENS)),
    ("allergies", OneOf(&ALLERGENS)),
    ("reaction", OneOf(&REACTIONS)),
    ("reactions", OneOf(&REACTIONS)),
    (
        "adverse_reaction",
        OneOf(&[
            "None observed",
            "Soreness at the site",
            "Fever of 38.1 for a day",
        ]),
    ),
    (
        "side_effects",
        OneOf(&[
            "None reported",
            "Mild nausea",
            "Drowsy for an hour",
            "Less appetite at lunch",
        ]),
    ),
    ("symptoms", OneOf(&SYMPTOMS)),
    ("symptom*", OneOf(&SYMPTOMS)),
    ("reason", OneOf(&REASONS)),
    ("injuries", OneOf(&INJURIES)),
    ("description", Words(incident)),
    ("actions_taken", OneOf(&TREATMENTS)),
    ("treatment", OneOf(&TREATMENTS)),
    ("emergency_protocol", OneOf(&PROTOCOLS)),
    ("care_plan", Words(plan)),
    ("plan", Words(plan)),
    ("interventions", OneOf(&TREATMENTS)),
    ("goals", OneOf(&GOALS)),
    (
        "restrictions",
        OneOf(&[
            "No contact sports until cleared",
            "None",
            "No nuts in the classroom",
            "Shade and water at recess",
        ]),
    ),
    ("subjective", Words(subjective)),
    ("objective", Words(objective)),
    ("assessment", Words(assessment)),
    ("presenting_problem", OneOf(&PROBLEMS)),
    (
        "risk",
        OneOf(&[
            "Low: no thoughts of harm",
            "Moderate: safety plan in place",
            "Low",
            "Under review",
        ]),
    ),
    ("counseling_notes", Words(counseling)),
    (
        "test_name",
        OneOf(&[
            "Blood lead",
            "Hemoglobin A1c",
            "Rapid strep A",
            "CBC",
            "TSH",
            "Urinalysis",
        ]),
    ),
    (
        "result_value",
        OneOf(&["1.2", "5.6", "7.9", "Negative", "Positive", "12.8"]),
    ),
    (
        "reference_range",
        OneOf(&["< 3.5 ug/dL", "4.0 - 5.6 %", "Negative", "11.5 - 15.5 g/dL"]),
    ),
    (
        "interpretation",
        OneOf(&[
            "Within range",
            "Above range, repeat in 3 months",
            "Positive, treat",
        ]),
    ),
    (
        "results",
        OneOf(&[
            "20/25 both",
            "20/40 left, 20/25 right",
            "Passed at 20 dB, all frequencies",
            "Cobb angle under 7 degrees",
        ]),
    ),
    ("referral_to", Words(people::doctor)),
    (
        "exemption_reason",
        OneOf(&[
            "Medical: immune deficiency",
            "Medical: allergy to a component",
            "Religious, on file",
        ]),
    ),
    (
        "refusal_reason",
        OneOf(&["Student declined", "Vomited within 10 minutes", "Absent"]),
    ),
    ("statement", Words(statement)),
    (
        "information_disclosed",
        OneOf(&[
            "Immunization record",
            "Asthma action plan",
            "Screening results",
            "Visit summary",
        ]),
    ),
    (
        "purpose_detail",
        OneOf(&[
            "Continuity of care",
            "Requested by the guardian",
            "Reportable condition",
        ]),
    ),
    ("history", Words(details)),
    ("details", Words(details)),
    (
        "behaviour",
        OneOf(&[
            "Calm, prefers routine",
            "Anxious with strangers",
            "Needs supervision outdoors",
        ]),
    ),
    (
        "diet",
        OneOf(&[
            "Regular",
            "Gluten-free",
            "Diabetic, counted carbohydrates",
            "Soft, thickened fluids",
        ]),
    ),
    (
        "mobility",
        OneOf(&[
            "Walks unaided",
            "Wheelchair, transfers with one person",
            "Walker",
        ]),
    ),
    ("insurance", Numbered(insurance)),
    (
        "payer",
        OneOf(&[
            "Medicaid",
            "Blue Plan of Fairview",
            "Northern Mutual",
            "Self-pay",
        ]),
    ),
    ("hl7_message", Numbered(hl7)),
    ("response", Words(ack)),
    (
        "specialty",
        OneOf(&[
            "Pediatrics",
            "Family medicine",
            "Cardiology",
            "Psychiatry",
            "Endocrinology",
        ]),
    ),
    (
        "clinical_effect",
        OneOf(&[
            "Higher bleeding risk",
            "More drowsiness",
            "Longer QT interval",
            "Weaker effect",
        ]),
    ),
    (
        "management",
        OneOf(&[
            "Avoid together",
            "Watch for signs, halve the dose",
            "No action",
        ]),
    ),
    (
        "mechanism",
        OneOf(&["CYP3A4 inhibition", "Additive effect", "Less absorption"]),
    ),
    (
        "syndrome",
        OneOf(&[
            "Influenza-like illness",
            "Gastrointestinal",
            "Rash with fever",
            "Strep throat",
        ]),
    ),
    (
        "test_code",
        OneOf(&["5671-3", "4548-4", "6557-3", "58410-2"]),
    ),
    ("*treatment*", OneOf(&TREATMENTS)),
    ("*_reason", OneOf(&REASONS)),
    ("*notes", Words(notes)),
    ("notes*", Words(notes)),
    ("*_note", Words(notes)),
];

fn condition(at: &At) -> (&'static str, &'static str) {
    *at.same(Topic::Condition, &CONDITIONS)
}

fn diagnosis(at: &At) -> String {
    condition(at).1.to_owned()
}

fn code(at: &At) -> String {
    condition(at).0.to_owned()
}

fn vaccine(at: &At) -> String {
    at.same(Topic::Vaccine, &VACCINES).1.to_owned()
}

fn vaccine_type(at: &At) -> String {
    at.same(Topic::Vaccine, &VACCINES).2.to_owned()
}

fn cvx(at: &At) -> String {
    at.same(Topic::Vaccine, &VACCINES).0.to_owned()
}

fn lot(at: &At) -> String {
    let mut dice = at.own();
    let letter = char::from(b'A' + dice.random_range(0..26_u8));
    format!("{letter}{:05}", dice.random_range(0..100_000))
}

/// A few sentences; seldom very many.
pub fn notes(at: &At) -> String {
    let mut dice = at.own();
    let sentences = match dice.random_range(0..100) {
        0..60 => 1,
        60..98 => dice.random_range(2..6),
        _ => dice.random_range(10..40),
    };
    let chosen: Vec<&str> = (0..sentences)
        .map(|_| REMARKS[dice.random_range(0..REMARKS.len())])
        .collect();
    chosen.join(" ")
}

fn incident(at: &At) -> String {
    format!(
        "{} ({}). {}",
        at.one(&REASONS),
        clock::day(at),
        at.one(&TREATMENTS)
    )
}

fn statement(at: &At) -> String {
    format!("I saw it on {}. {}", clock::day(at), at.one(&INJURIES))
}

fn plan(at: &At) -> String {
    format!("{}. Goal: {}", at.one(&PROTOCOLS), at.one(&GOALS))
}

fn subjective(at: &At) -> String {
    format!("{}. Known: {}.", at.one(&SYMPTOMS), condition(at).1)
}

fn objective(at: &At) -> String {
    let mut dice = at.own();
    format!(
        "T {:.1} C, HR {}, RR {}, SpO2 {} %. Lungs clear, no distress.",
        f64::from(dice.random_range(362..390)) / 10.0,
        dice.random_range(62..112),
        dice.random_range(14..24),
        dice.random_range(95..100)
    )
}

fn assessment(at: &At) -> String {
    let (code, text) = condition(at);
    format!("{text} ({code}), stable")
}

fn counseling(at: &At) -> String {
    let minutes = at.own().random_range(2..7) * 10;
    format!(
        "Session of {minutes} minutes. {}. {}.",
        at.one(&PROBLEMS),
        at.one(&GOALS)
    )
}

fn details(at: &At) -> String {
    format!(
        "{}, since {}. {}",
        condition(at).1,
        clock::day(at),
        at.one(&REMARKS)
    )
}

fn insurance(at: &At) -> String {
    format!(
        "{} / member XQH{:09}",
        at.one(&["Medicaid", "Northern Mutual"]),
        at.number()
    )
}

/// An unsolicited vaccination record update (HL7 v2.5.1).
fn hl7(at: &At) -> String {
    let (cvx, name, _) = at.same(Topic::Vaccine, &VACCINES);
    let day = clock::day(at).replace('-', "");
    let id = at.number();
    format!(
        "MSH|^~\\&|SCHOOL|S{id:05}|IIS|STATE|{day}0900||VXU^V04^VXU_V04|{id}|P|2.5.1\r\
         PID|1||MRN-{id:07}^^^SCHOOL^MR||{}\r\
         RXA|0|1|{day}||{cvx}^{name}^CVX|0.5|mL|||||||{}",
        people::other(at).replace(' ', "^"),
        lot(at)
    )
}

fn ack(at: &At) -> String {
    let answer = at.one(&["AA", "AA", "AA", "AE"]);
    format!("MSA|{answer}|{}", at.number())
}

#[cfg(test)]
mod tests {
    use super::super::{Draw, fingerprint};
    use super::*;

    #[test]
    fn a_code_stands_beside_its_own_diagnosis() {
        let draw = Draw::new(1, "health_records");
        for row in 0..100 {
            let text = diagnosis(&At::new(&draw, row, fingerprint("diagnosis")));
            let code = code(&At::new(&draw, row, fingerprint("diagnosis_code")));
            assert!(CONDITIONS.contains(&(code.as_str(), text.as_str())));
        }
    }

    #[test]
    fn the_codes_alone_are_those_of_the_vaccines() {
        assert!(
            CVX.iter()
                .zip(&VACCINES)
                .all(|(code, vaccine)| *code == vaccine.0)
        );
    }
}

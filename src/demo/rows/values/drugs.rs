//! Medicines: names, strengths, doses, and how often.
//! Always holds: a dose is one that is given of its drug, since a row draws both at once.

use super::at::Topic;
use super::{At, Rule, Rules, people};
use Rule::{Numbered, OneOf, Words};

pub const RULES: Rules = &[
    ("drug_name", Words(name)),
    ("medications.name", Words(name)),
    ("medication.name", Words(name)),
    ("generic_name", Words(name)),
    ("brand_names", Words(brand)),
    ("strength", Words(strength)),
    ("dosage", Words(dosage)),
    ("dosage_given", Words(dosage)),
    ("dosage_form", Words(form)),
    (
        "drug_class",
        OneOf(&[
            "Bronchodilator",
            "Stimulant",
            "Antibiotic",
            "Antihistamine",
            "Insulin",
        ]),
    ),
    ("frequency", Words(frequency)),
    ("instructions", Words(instructions)),
    (
        "pharmacy",
        OneOf(&[
            "Fairview Pharmacy",
            "Mill Lane Drugs",
            "Riverton Community Pharmacy",
        ]),
    ),
    ("rx_number", Numbered(rx_number)),
    ("rxcui", Numbered(rxcui)),
    ("ndc", Numbered(ndc)),
    ("controlled_schedule", OneOf(&["II", "III", "IV", "V"])),
    ("lab_results.unit", OneOf(&["ug/dL", "%", "g/dL", "mIU/L"])),
];

struct Drug {
    name: &'static str,
    brand: &'static str,
    form: &'static str,
    strength: &'static str,
    dosage: &'static str,
    frequency: &'static str,
}

const fn drug(of: [&'static str; 6]) -> Drug {
    let [name, brand, form, strength, dosage, frequency] = of;
    Drug {
        name,
        brand,
        form,
        strength,
        dosage,
        frequency,
    }
}

const DRUGS: [Drug; 18] = [
    drug([
        "Albuterol",
        "Ventolin",
        "inhaler",
        "90 mcg",
        "2 puffs",
        "Every 4 hours as needed",
    ]),
    drug([
        "Methylphenidate",
        "Ritalin",
        "tablet",
        "10 mg",
        "1 tablet",
        "Daily at noon",
    ]),
    drug([
        "Epinephrine",
        "EpiPen",
        "auto-injector",
        "0.3 mg",
        "0.3 mg",
        "Once, in an emergency",
    ]),
    drug([
        "Insulin lispro",
        "Humalog",
        "pen",
        "100 units/mL",
        "4 units",
        "Before lunch",
    ]),
    drug([
        "Amoxicillin",
        "Amoxil",
        "suspension",
        "400 mg/5 mL",
        "5 mL",
        "Twice daily for 10 days",
    ]),
    drug([
        "Cetirizine",
        "Zyrtec",
        "tablet",
        "10 mg",
        "1 tablet",
        "Once daily",
    ]),
    drug([
        "Ibuprofen",
        "Motrin",
        "tablet",
        "200 mg",
        "1 tablet",
        "Every 6 hours as needed",
    ]),
    drug([
        "Acetaminophen",
        "Tylenol",
        "suspension",
        "160 mg/5 mL",
        "10 mL",
        "Every 6 hours as needed",
    ]),
    drug([
        "Levetiracetam",
        "Keppra",
        "tablet",
        "500 mg",
        "1 tablet",
        "Twice daily",
    ]),
    drug([
        "Diazepam",
        "Diastat",
        "rectal gel",
        "10 mg",
        "10 mg",
        "For a seizure over 5 minutes",
    ]),
    drug([
        "Fluticasone",
        "Flovent",
        "inhaler",
        "44 mcg",
        "2 puffs",
        "Twice daily",
    ]),
    drug([
        "Montelukast",
        "Singulair",
        "chewable tablet",
        "5 mg",
        "1 tablet",
        "At bedtime",
    ]),
    drug([
        "Sertraline",
        "Zoloft",
        "tablet",
        "50 mg",
        "1 tablet",
        "Every morning",
    ]),
    drug([
        "Guanfacine",
        "Intuniv",
        "extended-release tablet",
        "2 mg",
        "1 tablet",
        "Every morning",
    ]),
    drug([
        "Glucagon",
        "Baqsimi",
        "nasal powder",
        "3 mg",
        "3 mg",
        "Once, for severe hypoglycemia",
    ]),
    drug([
        "Diphenhydramine",
        "Benadryl",
        "capsule",
        "25 mg",
        "1 capsule",
        "Every 6 hours as needed",
    ]),
    drug([
        "Lisinopril",
        "Zestril",
        "tablet",
        "10 mg",
        "1 tablet",
        "Once daily",
    ]),
    drug([
        "Metformin",
        "Glucophage",
        "tablet",
        "500 mg",
        "1 tablet",
        "Twice daily with meals",
    ]),
];

fn of(at: &At) -> &'static Drug {
    at.same(Topic::Drug, &DRUGS)
}

pub fn name(at: &At) -> String {
    of(at).name.to_owned()
}

fn brand(at: &At) -> String {
    of(at).brand.to_owned()
}

fn strength(at: &At) -> String {
    of(at).strength.to_owned()
}

fn dosage(at: &At) -> String {
    of(at).dosage.to_owned()
}

fn form(at: &At) -> String {
    of(at).form.to_owned()
}

fn frequency(at: &At) -> String {
    of(at).frequency.to_owned()
}

fn instructions(at: &At) -> String {
    let drug = of(at);
    let how = at.one(&[
        "With food",
        "With a full glass of water",
        "Rinse the mouth after",
        "Shake well",
    ]);
    format!(
        "{} {}. {how}. Ordered by {}.",
        drug.dosage,
        drug.frequency.to_lowercase(),
        people::doctor(at)
    )
}

fn rx_number(at: &At) -> String {
    format!("RX{:08}", at.number())
}

/// Above the numbers that RxNorm has given out.
fn rxcui(at: &At) -> String {
    format!("9{:07}", at.number())
}

/// Of a labeler that there is not.
fn ndc(at: &At) -> String {
    let number = at.number();
    format!("00000-{:04}-{:02}", number / 100 % 10_000, number % 100)
}

//! The words themselves: codes of the public lists with their texts, and made-up sentences.

/// ICD-10-CM.
pub const CONDITIONS: [(&str, &str); 24] = [
    ("J45.30", "Mild persistent asthma, uncomplicated"),
    (
        "J45.41",
        "Moderate persistent asthma with (acute) exacerbation",
    ),
    ("E10.9", "Type 1 diabetes mellitus without complications"),
    ("E11.9", "Type 2 diabetes mellitus without complications"),
    (
        "F90.2",
        "Attention-deficit hyperactivity disorder, combined type",
    ),
    ("F84.0", "Autistic disorder"),
    ("F41.1", "Generalized anxiety disorder"),
    (
        "F32.1",
        "Major depressive disorder, single episode, moderate",
    ),
    (
        "G40.909",
        "Epilepsy, unspecified, not intractable, without status epilepticus",
    ),
    (
        "G43.109",
        "Migraine with aura, not intractable, without status migrainosus",
    ),
    ("D57.3", "Sickle-cell trait"),
    ("K90.0", "Celiac disease"),
    ("L20.9", "Atopic dermatitis, unspecified"),
    ("H52.13", "Myopia, bilateral"),
    (
        "H65.93",
        "Unspecified nonsuppurative otitis media, bilateral",
    ),
    ("J02.0", "Streptococcal pharyngitis"),
    ("J06.9", "Acute upper respiratory infection, unspecified"),
    ("J30.2", "Other seasonal allergic rhinitis"),
    (
        "S93.401A",
        "Sprain of unspecified ligament of right ankle, initial encounter",
    ),
    (
        "S06.0X0A",
        "Concussion without loss of consciousness, initial encounter",
    ),
    (
        "M41.125",
        "Adolescent idiopathic scoliosis, thoracolumbar region",
    ),
    ("R51.9", "Headache, unspecified"),
    ("R10.9", "Unspecified abdominal pain"),
    ("I10", "Essential (primary) hypertension"),
];
/// CVX code, name, and what the platform calls the type.
pub const VACCINES: [(&str, &str, &str); 19] = [
    ("107", "DTaP, unspecified formulation", "DTAP"),
    ("115", "Tdap", "TDAP"),
    ("139", "Td (adult), unspecified formulation", "TD"),
    ("89", "Polio, unspecified formulation", "POLIO"),
    ("03", "MMR", "MMR"),
    ("94", "MMRV", "MMRV"),
    ("21", "Varicella", "VARICELLA"),
    ("85", "Hep A, unspecified formulation", "HEPATITIS_A"),
    ("45", "Hep B, unspecified formulation", "HEPATITIS_B"),
    ("17", "Hib, unspecified formulation", "HIB"),
    (
        "152",
        "Pneumococcal conjugate, unspecified formulation",
        "PCV",
    ),
    ("33", "Pneumococcal polysaccharide PPV23", "PPSV23"),
    ("122", "Rotavirus, unspecified formulation", "ROTAVIRUS"),
    (
        "108",
        "Meningococcal ACWY, unspecified formulation",
        "MENACWY",
    ),
    ("164", "Meningococcal B, unspecified formulation", "MENB"),
    ("137", "HPV, unspecified formulation", "HPV"),
    ("88", "Influenza, unspecified formulation", "INFLUENZA"),
    (
        "213",
        "SARS-COV-2 (COVID-19) vaccine, unspecified",
        "COVID_19",
    ),
    ("304", "RSV, unspecified formulation", "RSV"),
];
pub const CVX: [&str; 19] = [
    "107", "115", "139", "89", "03", "94", "21", "85", "45", "17", "152", "33", "122", "108",
    "164", "137", "88", "213", "304",
];
/// CPT codes of office visits, screenings and immunizations.
pub const PROCEDURES: [&str; 8] = [
    "99211", "99212", "99213", "92551", "99173", "90471", "96127", "T1002",
];
pub const ALLERGENS: [&str; 12] = [
    "Peanuts",
    "Tree nuts",
    "Milk",
    "Eggs",
    "Shellfish",
    "Penicillin",
    "Amoxicillin",
    "Bee venom",
    "Latex",
    "Grass pollen",
    "Cat dander",
    "Sesame",
];
pub const REACTIONS: [&str; 7] = [
    "Hives within 10 minutes",
    "Anaphylaxis in 2022, treated with epinephrine",
    "Wheezing",
    "Swelling of lips and face",
    "Rash on the trunk",
    "Vomiting",
    "Itching eyes, sneezing",
];
pub const SYMPTOMS: [&str; 9] = [
    "Fever and cough since last night",
    "Headache, light hurts",
    "Sore throat, swollen glands",
    "Stomach ache after lunch",
    "Wheezing after running",
    "Rash on both arms",
    "Vomited once",
    "Dizzy when standing up",
    "Itchy red eye, left",
];
pub const REASONS: [&str; 9] = [
    "Headache in third period",
    "Inhaler before PE",
    "Blood sugar check",
    "Fell at recess",
    "Fever",
    "Medication at noon",
    "Annual physical",
    "Follow-up after concussion",
    "Stomach ache",
];
pub const INJURIES: [&str; 6] = [
    "Scrape on the left knee, 2 cm",
    "Bump on the forehead, no loss of consciousness",
    "Swollen right ankle",
    "Cut on the index finger",
    "Nosebleed, stopped in 5 minutes",
    "Chipped front tooth",
];
pub const TREATMENTS: [&str; 9] = [
    "Ice for 15 minutes, rest",
    "Albuterol 2 puffs by spacer, better after 10 minutes",
    "Cleaned and covered",
    "15 g of fast carbohydrate, checked again after 15 minutes",
    "Epinephrine 0.3 mg in the thigh, 911 called",
    "Rested in the dark room, then back to class",
    "Fluids, temperature every 30 minutes",
    "Guardian called, went home",
    "Ibuprofen 200 mg with food",
];
pub const PROTOCOLS: [&str; 4] = [
    "Epinephrine at the first sign, call 911, lay down with legs raised",
    "Antihistamine for hives alone; epinephrine if breathing is hard",
    "Call the guardian; watch for 30 minutes",
    "Follow the action plan on file",
];
pub const GOALS: [&str; 5] = [
    "Peak flow above 80 % of best, no night symptoms",
    "A1c under 7.5 % by spring",
    "No missed doses for a month",
    "Attend all classes four days of five",
    "Two coping skills used without a reminder",
];
pub const PROBLEMS: [&str; 6] = [
    "Worries before tests, cannot sleep",
    "Grief after a grandparent's death",
    "Conflict with classmates",
    "Low mood for three weeks",
    "Will not come to school on Mondays",
    "Trouble keeping attention",
];
pub const REMARKS: [&str; 14] = [
    "No known allergies.",
    "Carries an EpiPen.",
    "Lactose intolerant — no milk at lunch.",
    "Seizure plan on file (focal, last seen in spring).",
    "Wears glasses.",
    "Father's number changed\nmother's is the one to call.",
    "Parent informed by phone.",
    "Return if it gets worse.",
    "Water at all times, no overheating.",
    "Hearing aid in the right ear; sits near the front.",
    "Dose given with food.",
    "Interpreter needed (español).",
    "Return to play step 4 of 6.",
    "Immunizations up to date.",
];

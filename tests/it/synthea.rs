//! Made-up patients of Synthea: real shapes of names, numbers, dates and addresses, sealed through
//! one plan and opened by the oracle. Skipped, and said so, where the data is not there.

use crate::support::{Stand, database, marked};
use std::path::{Path, PathBuf};

fn folder() -> Option<PathBuf> {
    let folder = Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../shared/data/synthea"
    ));
    if folder.join("patients.csv").is_file() && folder.join("encounters.csv").is_file() {
        return Some(folder.to_path_buf());
    }
    eprintln!("SKIPPED: no Synthea data beside the repository");
    None
}

// Loads chosen columns; what is empty there is NULL here, as the files mean it.
fn inserts(file: &Path, table: &str, columns: &[(&str, &str)]) -> String {
    let mut reader = csv::Reader::from_path(file).unwrap();
    let headers = reader.headers().unwrap().clone();
    let at: Vec<usize> = columns
        .iter()
        .map(|(name, _)| {
            headers
                .iter()
                .position(|h| h.eq_ignore_ascii_case(name))
                .expect(name)
        })
        .collect();
    let rows: Vec<String> = reader
        .records()
        .map(|record| {
            let record = record.unwrap();
            let value = |i: &usize| match &record[*i] {
                "" => "NULL".to_owned(),
                text => format!("'{}'", text.replace('\'', "''")),
            };
            format!("({})", at.iter().map(value).collect::<Vec<_>>().join(","))
        })
        .collect();
    let definition: Vec<String> = columns.iter().map(|(n, t)| format!("{n} {t}")).collect();
    let mut sql = format!("CREATE TABLE {table} ({});", definition.join(", "));
    for chunk in rows.chunks(500) {
        sql.push_str(&format!("INSERT INTO {table} VALUES {};", chunk.join(",")));
    }
    sql + &format!("CREATE TABLE saved_{table} AS TABLE {table};")
}

const PATIENTS: [(&str, &str); 13] = [
    ("id", "uuid PRIMARY KEY"),
    ("birthdate", "date"),
    ("ssn", "text"),
    ("drivers", "varchar(20)"),
    ("passport", "text"),
    ("first", "text"),
    ("last", "text"),
    ("maiden", "text"),
    ("address", "text"),
    ("city", "text"),
    ("lat", "numeric"),
    ("lon", "double precision"),
    ("healthcare_expenses", "numeric"),
];
const ENCOUNTERS: [(&str, &str); 7] = [
    ("id", "uuid PRIMARY KEY"),
    ("start", "timestamptz"),
    ("stop", "timestamptz"),
    ("patient", "uuid"),
    ("description", "text"),
    ("total_claim_cost", "numeric"),
    ("reasondescription", "text"),
];
const SEALED: [&str; 9] = [
    "ssn",
    "drivers",
    "passport",
    "first",
    "last",
    "maiden",
    "birthdate",
    "lat",
    "lon",
];

fn plan() -> String {
    let mut plan = crate::backfill::beside("public.patients", &SEALED);
    plan.push_str(
        "[[table.column]]\nname = \"address\"\nin_place = \"application-reads-both-forms\"\n",
    );
    plan.push_str(&crate::backfill::beside(
        "public.encounters",
        &["description", "reasondescription", "start"],
    ));
    plan.replacen(
        "\"ssn_sealed\"\n",
        "\"ssn_sealed\"\nblind_index = { column = \"ssn_bidx\", normalise = \"digits\", bits = 256 }\n",
        1,
    )
}

#[tokio::test]
async fn patients_and_their_encounters_are_sealed_through_one_plan() {
    let Some(folder) = folder() else { return };
    let sql = inserts(&folder.join("patients.csv"), "patients", &PATIENTS)
        + &inserts(&folder.join("encounters.csv"), "encounters", &ENCOUNTERS);
    let ground = Stand::on(database("synthea").await, &sql, &plan()).await;
    let patients = ground.db.count("SELECT count(*) FROM patients").await;
    let encounters = ground.db.count("SELECT count(*) FROM encounters").await;
    assert!(patients > 100 && encounters > patients);
    let done = ground.json(&["backfill"]).await;
    assert_eq!(
        (&done["rows_sealed"], &done["quarantined"]),
        (&(patients + encounters).into(), &0.into())
    );
    let columns = [&SEALED[..], &["address"]].concat();
    let mut opened = ground
        .expect_sealed("public.patients", &columns, "saved_patients")
        .await;
    opened += ground
        .expect_sealed(
            "public.encounters",
            &["description", "reasondescription", "start"],
            "saved_encounters",
        )
        .await;
    assert_eq!(done["values_sealed"], opened);
    let verified = ground.json(&["verify"]).await;
    assert_eq!(
        (&verified["values_verified"], &verified["failed"]),
        (&opened.into(), &0.into())
    );
    assert_eq!(ground.json(&["backfill"]).await["rows_found"], 0);
    // And all the way back.
    let blank: Vec<String> = SEALED.iter().map(|c| format!("{c} = NULL")).collect();
    let blank = blank.join(", ");
    ground
        .db
        .exec(&marked(
            "clear",
            "public.patients",
            &format!("UPDATE patients SET {blank}"),
        ))
        .await;
    ground.json(&["restore", "--drop-sealed"]).await;
    for table in ["patients", "encounters"] {
        let different = format!(
            "SELECT count(*) FROM (SELECT t::text FROM {table} t EXCEPT SELECT t::text FROM saved_{table} t) q"
        );
        assert_eq!(ground.db.count(&different).await, 0, "{table}");
    }
}

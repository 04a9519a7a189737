//! Patients and their encounters, sealed through one plan and opened by the oracle: a table with a
//! blind index, a column in place and columns of many types beside a second table, all the way there
//! and back.

use crate::support::{Base, Fixture, database, marked};

const PATIENTS: i64 = 120;
const ENCOUNTERS: i64 = 700;

// What is empty in the forms of a clinic is NULL: a maiden name, a passport, a reason.
const ROWS: &str = "CREATE TABLE patients (id uuid PRIMARY KEY, birthdate date, ssn text, drivers varchar(20),
        passport text, first text, last text, maiden text, address text, city text, lat numeric,
        lon double precision, healthcare_expenses numeric);
    INSERT INTO patients SELECT md5('patient' || n)::uuid, date '1930-01-31' + n * 251,
            format('9%s-%s-%s', to_char(n, 'FM00'), to_char(n % 50, 'FM00'), to_char(n * 79, 'FM0000')),
            CASE WHEN n % 3 > 0 THEN 'S999' || 10000 + n END, CASE WHEN n % 5 = 0 THEN 'X' || 7 * n || 'X' END,
            (ARRAY['Guy', 'José Luis', 'Zoë', 'Mary Ann', 'D''Angelo'])[1 + n % 5] || n,
            (ARRAY['Brown', 'O''Brien', 'Ñandú', 'van der Berg'])[1 + n % 4] || n,
            CASE WHEN n % 7 = 0 THEN 'Müller' || n END, n || ' Simonis Harbor Apt ' || n % 40, 'Lexington',
            38 + n / 7.0, -84.5419057529168 + n / 3.0::float8, round(n * 12345.678, 2)
        FROM generate_series(1, 120) AS n;
    CREATE TABLE encounters (id uuid PRIMARY KEY, start timestamptz, stop timestamptz, patient uuid, description text,
        total_claim_cost numeric, reasondescription text);
    INSERT INTO encounters SELECT md5('encounter' || n)::uuid, at, at + interval '15 min',
            md5('patient' || 1 + n % 120)::uuid,
            (ARRAY['General examination of patient (procedure)', 'Well child visit', 'Emergency — fall'])[1 + n % 3],
            91.33, CASE WHEN n % 4 = 0 THEN 'Acute bronchitis (disorder)' END
        FROM generate_series(1, 700) AS n, LATERAL (SELECT timestamptz '2012-03-21T16:55:29Z' + n * interval '1 d 7 s') AS t (at);
    CREATE TABLE saved_patients AS TABLE patients;
    CREATE TABLE saved_encounters AS TABLE encounters;";

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
    let fixture = Fixture::new(Base::Postgres(database("patients").await), ROWS, &plan()).await;
    let done = fixture.json(&["backfill"]).await;
    assert_eq!(
        (&done["rows_sealed"], &done["quarantined"]),
        (&(PATIENTS + ENCOUNTERS).into(), &0.into())
    );
    let columns = [&SEALED[..], &["address"]].concat();
    let mut opened = fixture
        .expect_sealed("public.patients", &columns, "saved_patients")
        .await;
    opened += fixture
        .expect_sealed(
            "public.encounters",
            &["description", "reasondescription", "start"],
            "saved_encounters",
        )
        .await;
    assert_eq!(done["values_sealed"], opened);
    let verified = fixture.json(&["verify"]).await;
    assert_eq!(
        (&verified["values_verified"], &verified["failed"]),
        (&opened.into(), &0.into())
    );
    assert_eq!(fixture.json(&["backfill"]).await["rows_found"], 0);
    // And all the way back.
    let blank: Vec<String> = SEALED.iter().map(|c| format!("{c} = NULL")).collect();
    let blank = blank.join(", ");
    fixture
        .db()
        .exec(&marked(
            "clear",
            "public.patients",
            &format!("UPDATE patients SET {blank}"),
        ))
        .await;
    fixture.json(&["restore", "--drop-sealed", "--yes"]).await;
    for table in ["patients", "encounters"] {
        let different = format!(
            "SELECT count(*) FROM (SELECT t::text FROM {table} t EXCEPT SELECT t::text FROM saved_{table} t) q"
        );
        assert_eq!(fixture.db().count(&different).await, 0, "{table}");
    }
}

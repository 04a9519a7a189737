//! Functions, operators, types and tables that another role planted where an unqualified name would be
//! looked up first: no command runs or reads any of them.

use super::connect;
use crate::support::{Fixture, Phiseal};

const PLAN: &str = r#"
[[table]]
name = "public.patients"
tenant_column = "clinic"
[[table.column]]
name = "ssn"
seal_into = "ssn_sealed"
blind_index = { column = "ssn_bidx", normalise = "digits", bits = 256 }

[[table]]
name = "visits"
[[table.column]]
name = "note"
in_place = "application-reads-both-forms"
"#;

const TABLES: &str = "
    CREATE TABLE patients (id int PRIMARY KEY, clinic text NOT NULL, ssn text);
    INSERT INTO patients SELECT g, 'c' || g % 2, lpad(g::text, 9, '0') FROM generate_series(1, 300) g;
    CREATE TABLE visits (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), note text);
    INSERT INTO visits (note) SELECT 'note ' || g FROM generate_series(1, 300) g;
    CREATE TABLE canary (what text);
    GRANT INSERT ON canary TO PUBLIC;
    GRANT CREATE ON SCHEMA public TO PUBLIC;";

/// A copy in `public` of every function and operator of the server that can be copied, each of which
/// writes its name into the table `canary`; then tables and types with the names of the server's own.
/// What cannot be copied is passed over.
const PLANT: &str = r#"
    DO $plant$
    DECLARE
        f record;
        made int := 0;
    BEGIN
        FOR f IN
            SELECT p.proname, pg_get_function_identity_arguments(p.oid) AS args,
                   pg_get_function_result(p.oid) AS result
              FROM pg_catalog.pg_proc p
             WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f' AND NOT p.proretset
               AND p.proname !~ '(in|out|recv|send|sel|support|handler|transform)$' AND p.pronargs BETWEEN 1 AND 4
        LOOP
            BEGIN
                EXECUTE format('CREATE FUNCTION public.%I(%s) RETURNS %s LANGUAGE plpgsql AS %L',
                    f.proname, f.args, f.result,
                    format('BEGIN INSERT INTO public.canary VALUES (%L); RETURN NULL; END', f.proname));
                made := made + 1;
            EXCEPTION WHEN OTHERS THEN NULL;
            END;
        END LOOP;
        FOR f IN
            SELECT o.oprname, o.oprleft::regtype AS l, o.oprright::regtype AS r, p.proname
              FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_proc p ON p.oid = o.oprcode
             WHERE o.oprleft <> 0 AND o.oprnamespace = 'pg_catalog'::regnamespace
        LOOP
            BEGIN
                EXECUTE format('CREATE OPERATOR public.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = public.%I)',
                    f.oprname, f.l, f.r, f.proname);
                made := made + 1;
            EXCEPTION WHEN OTHERS THEN NULL;
            END;
        END LOOP;
        IF made < 2000 THEN
            RAISE EXCEPTION 'only % objects were planted', made;
        END IF;
    END $plant$;
    CREATE FUNCTION public.format(text, name, name) RETURNS text LANGUAGE plpgsql AS
        $$BEGIN INSERT INTO public.canary VALUES ('format'); RETURN NULL; END$$;
    CREATE FUNCTION public.format(text, text, name) RETURNS text LANGUAGE plpgsql AS
        $$BEGIN INSERT INTO public.canary VALUES ('format'); RETURN NULL; END$$;
    CREATE FUNCTION public.unnest(text[]) RETURNS SETOF text LANGUAGE plpgsql AS
        $$BEGIN INSERT INTO public.canary VALUES ('unnest'); END$$;
    CREATE FUNCTION public.unnest(oid[]) RETURNS SETOF oid LANGUAGE plpgsql AS
        $$BEGIN INSERT INTO public.canary VALUES ('unnest'); END$$;
    CREATE FUNCTION public.unnest(name[]) RETURNS SETOF name LANGUAGE plpgsql AS
        $$BEGIN INSERT INTO public.canary VALUES ('unnest'); END$$;
    CREATE TABLE public.pg_class (LIKE pg_catalog.pg_proc);
    CREATE TABLE public.pg_namespace (LIKE pg_catalog.pg_proc);
    CREATE TABLE public.pg_roles (rolname int);
    CREATE TABLE public.encryption_keys (key_id text);
    CREATE DOMAIN public.text AS pg_catalog.int4;
    CREATE DOMAIN public.bytea AS pg_catalog.int4;
"#;

/// Every command, in an order in which each finds something to do.
const COMMANDS: &[&[&str]] = &[
    &[
        "init",
        "--table",
        "public.patients",
        "--column",
        "ssn",
        "--plan",
        "other.toml",
    ],
    &["init", "--schema", "public", "--plan", "third.toml"],
    &["grants", "owner", "--to", "eve"],
    &["grants", "engine", "--to", "eve"],
    &["grants", "application", "--to", "eve"],
    &["grants", "auditor", "--to", "eve"],
    &["migrate", "status"],
    &["keys", "list"],
    &["keys", "check"],
    &["plan"],
    &["plan", "--sql"],
    &["bench"],
    &["backfill"],
    &["verify"],
    &["seal", "--table", "public.patients", "--column", "ssn"],
    &["open", "--table", "public.patients", "--column", "ssn"],
    &["status"],
    &["status", "rotations"],
    &["fields", "list"],
    &["runs", "list"],
    &["quarantine", "list"],
    &["pause"],
    &["speed"],
    &["resume"],
    &["rotate"],
    &["rotate", "--if-due"],
    &["audit", "verify"],
    &["audit", "head"],
    &["audit", "list"],
    &["audit", "export", "--output", "log.jsonl"],
    &["verify"],
    &["migrate", "verify"],
    &["finalize", "--observe", "1s", "--grace", "1s", "--yes"],
    &["scrub", "--yes"],
    &["restore", "--drop-sealed", "--yes"],
    &["migrate", "up"],
];

#[tokio::test]
async fn no_command_runs_what_another_role_planted() {
    let fixture = Fixture::postgres("shadows", TABLES, PLAN).await;
    for tenant in ["c0", "c1"] {
        let create = &["keys", "create", "--tenant", tenant];
        fixture.project.phiseal(create).run().await.expect_code(0);
    }
    let eve = fixture.db().role("eve", "").await;
    let mut conn = connect(&eve.url).await;
    sqlx::raw_sql(PLANT).execute(&mut conn).await.unwrap();
    // The worst case: the server's own schema is searched last.
    let path = format!(
        "ALTER DATABASE {} SET search_path = public, pg_catalog",
        fixture.db().name()
    );
    fixture.exec(&path).await;
    // What `seal` reads, and then what it wrote, for `open`.
    let mut rows = "id,clinic,ssn\n1,c1,000000001\n".to_owned();
    for command in COMMANDS {
        let url = fixture.url();
        let mut args = command.to_vec();
        if command[0] == "init" {
            args.extend(["--database-url", &url]);
        }
        let run = fixture.project.phiseal(&args).reads(&rows);
        let done = run.run().await;
        if command[0] == "seal" {
            rows.clone_from(&done.stdout);
        }
        // Other tests of the same server write the same values into its log.
        let found = command[0] == "scrub" && done.code() == Some(6);
        assert!(
            done.code() == Some(0) || found,
            "{command:?}: {}{}",
            done.stdout,
            done.stderr
        );
        let ran = fixture
            .db()
            .rows("SELECT pg_catalog.format('%s'::pg_catalog.text, what) FROM public.canary")
            .await;
        assert!(ran.is_empty(), "{command:?} ran {ran:?}");
    }
}

#[tokio::test]
async fn the_planted_functions_do_run_for_whoever_does_not_guard_against_them() {
    let fixture = Fixture::postgres("shadows_control", TABLES, PLAN).await;
    let eve = fixture.db().role("eve", "").await;
    let mut conn = connect(&eve.url).await;
    let plant = sqlx::raw_sql(PLANT).execute(&mut conn).await;
    plant.unwrap();
    let careless = "SET search_path = public, pg_catalog; SELECT left('x'::pg_catalog.text, 1)";
    let mut conn = fixture.db().connection().await;
    sqlx::raw_sql(careless).execute(&mut conn).await.unwrap();
    let ran = fixture.scalar("SELECT what FROM public.canary").await;
    assert_eq!(ran.as_deref(), Some("left"));
}

#[tokio::test]
async fn keys_of_a_type_of_an_extension_are_met_once_and_all() {
    let plan = r#"
[run]
lanes = 2
batch_target_ms = 10
[[table]]
name = "public.codes"
[[table.column]]
name = "note"
in_place = "application-reads-both-forms"
[[table]]
name = "public.pairs"
[[table.column]]
name = "note"
seal_into = "note_sealed"
"#;
    // Letters of both cases alternate, so that an order that heeds case differs in every window.
    let tables = "
        CREATE SCHEMA \"Ext\"; CREATE EXTENSION citext SCHEMA \"Ext\";
        CREATE TABLE codes (code \"Ext\".citext PRIMARY KEY, note text);
        INSERT INTO codes SELECT (CASE g % 2 WHEN 0 THEN 'k' ELSE 'K' END || g)::\"Ext\".citext, 'n' || g
          FROM generate_series(1, 3000) g;
        CREATE TABLE pairs (area int, code \"Ext\".citext, note text, PRIMARY KEY (area, code));
        INSERT INTO pairs SELECT g % 3, (CASE g % 2 WHEN 0 THEN 'k' ELSE 'K' END || g)::\"Ext\".citext, 'n' || g
          FROM generate_series(1, 3000) g;";
    let fixture = Fixture::postgres("extension_keys", tables, plan).await;
    let sealed = fixture.backfill().await;
    assert_eq!(sealed["rows_sealed"], 6000, "{sealed}");
    assert_eq!(sealed["conflicts"], 0, "{sealed}");
    let verify = fixture.project.phiseal(&["verify", "--json"]).run().await;
    let verified = verify.expect_code(0).json();
    assert_eq!(verified["rows_verified"], 6000, "{verified}");
    let rotate = fixture.project.phiseal(&["rotate", "--json"]).run().await;
    let rotated = rotate.expect_code(0).json();
    assert_eq!(rotated["rows_resealed"], 6000, "{rotated}");
    let restore = &["restore", "--drop-sealed", "--yes"];
    fixture.project.phiseal(restore).run().await.expect_code(0);
    for table in ["codes", "pairs"] {
        let same =
            format!("SELECT count(*) FROM {table} WHERE note = 'n' || substr(code::text, 2)");
        assert_eq!(fixture.db().count(&same).await, 3000, "{table}");
    }
}

#[tokio::test]
async fn a_name_without_a_schema_is_found_where_the_application_finds_it() {
    let tables = "CREATE SCHEMA app; CREATE TABLE app.visits (id int PRIMARY KEY, note text);
        INSERT INTO app.visits VALUES (1, 'a');";
    let plan = "[[table]]\nname = \"visits\"\n[[table.column]]\nname = \"note\"\nseal_into = \"note_sealed\"\n";
    let fixture = Fixture::postgres("path", tables, plan).await;
    let refused = fixture.project.phiseal(&["plan"]).run().await;
    assert_eq!(refused.status.code(), Some(3), "{}", refused.stdout);
    let path = format!(
        "ALTER DATABASE {} SET search_path = app",
        fixture.db().name()
    );
    fixture.exec(&path).await;
    assert_eq!(fixture.backfill().await["rows_sealed"], 1);
}

#[tokio::test]
async fn triggers_that_fire_look_names_up_as_under_the_applications_own_writes() {
    let tables = "CREATE TABLE patients (id int PRIMARY KEY, ssn text);
        INSERT INTO patients SELECT g, 's' || g FROM generate_series(1, 50) g;
        CREATE TABLE log (id int);
        CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN INSERT INTO log VALUES (NEW.id); RETURN NULL; END';
        CREATE CONSTRAINT TRIGGER later AFTER UPDATE ON patients DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION note();
        CREATE TRIGGER now AFTER UPDATE ON patients FOR EACH ROW EXECUTE FUNCTION note();";
    let plan = "[[table]]\nname = \"public.patients\"\ntriggers = \"fire\"\n\
        [[table.column]]\nname = \"ssn\"\nseal_into = \"ssn_sealed\"\n";
    let fixture = Fixture::postgres("fire", tables, plan).await;
    assert_eq!(fixture.backfill().await["rows_sealed"], 50);
    assert_eq!(fixture.db().count("SELECT count(*) FROM log").await, 100);
}

/// The program knows no other command than those of [`COMMANDS`] and these, which change keys for good,
/// are tried elsewhere, or use no database.
#[tokio::test]
async fn no_command_is_forgotten() {
    let help = Phiseal::new(["-h"]).run().await.expect_code(0).stdout;
    // The commands stand in groups between the usage and the options.
    let listed = help.split("Global options:").next().unwrap();
    let lines = listed.lines().filter(|line| line.starts_with("  "));
    let names: Vec<&str> = lines
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(names.contains(&"backfill"), "{help}");
    for name in names {
        let known = COMMANDS.iter().any(|command| command[0] == name);
        let elsewhere = ["demo", "completions", "man"].contains(&name);
        assert!(known || elsewhere, "{name}");
    }
}

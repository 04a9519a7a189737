//! Ways to log in at an honest server, with TLS and without.

use super::server::{HARD_PASSWORD, server};
use super::{CANARY, accepted, connects, refused};
use crate::backfill::beside;
use crate::support::Project;

/// A database of its own: migrations change what other roles may read.
fn planned(url: &str) -> String {
    let (login, rest) = url.split_once('@').unwrap();
    format!("{login}@{}", rest.replace("/postgres", "/planned"))
}

fn as_role(role: &str) -> String {
    format!("{role}:{CANARY}")
}

#[tokio::test]
async fn another_machine_is_verified_by_default() {
    let server = server().await;
    let roots = server.verified();
    accepted(&server.remote(&as_role("only_tls"), &roots)).await;
    accepted(&server.remote(
        &as_role("only_tls"),
        &format!("{roots}&sslmode=verify-full"),
    ))
    .await;
    let other = format!("&sslrootcert={}", server.file("other.pem").display());
    let error = refused(&server.remote(&as_role("only_tls"), &other), "E0531").await;
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("no trusted authority")
    );
    // Without sslrootcert it is the system's authorities, here those of OpenSSL's variable.
    let system = connects(&server.remote(&as_role("only_tls"), ""));
    let system = system.env("SSL_CERT_FILE", server.file("ca.pem"));
    system.run().await.expect_code(0);
    refused(&server.remote(&as_role("only_tls"), ""), "E0531").await;
    let error = refused(&server.misnamed(&as_role("only_tls"), &roots), "E0531").await;
    assert!(error["message"].as_str().unwrap().contains("another name"));
    // The name itself is asked for, not the address that it happens to have.
    let address = server
        .remote(&as_role("only_tls"), &roots)
        .replace(super::NAME, "127.0.0.1");
    refused(&address, "E0531").await;
}

#[tokio::test]
async fn each_weaker_mode_accepts_what_it_says_and_no_more() {
    let server = server().await;
    let login = as_role("only_tls");
    let (roots, other) = (server.verified(), server.file("other.pem"));
    accepted(&server.misnamed(&login, &format!("{roots}&sslmode=verify-ca"))).await;
    let wrong = format!("&sslmode=verify-ca&sslrootcert={}", other.display());
    refused(&server.misnamed(&login, &wrong), "E0531").await;
    accepted(&server.misnamed(&login, "&sslmode=require")).await;
    // As in libpq, who names an authority wants it asked.
    let asked = format!("&sslmode=require&sslrootcert={}", other.display());
    refused(&server.misnamed(&login, &asked), "E0531").await;
    accepted(&server.misnamed(&login, "&sslmode=prefer")).await;
    accepted(&server.local(&login, "")).await;
    accepted(&server.local(&login, "").replace("127.0.0.1", "localhost")).await;
    // Without TLS this role is not let in.
    refused(&server.remote(&login, "&sslmode=disable"), "E0503").await;
    accepted(&server.remote(&as_role("scram"), "&sslmode=disable")).await;
}

#[tokio::test]
async fn a_password_in_clear_or_as_md5_goes_to_a_verified_server_alone() {
    let server = server().await;
    let roots = server.verified();
    for role in ["clear", "md5"] {
        let login = as_role(role);
        accepted(&server.remote(&login, &roots)).await;
        for more in ["&sslmode=disable", "&sslmode=prefer", "&sslmode=require"] {
            refused(&server.remote(&login, more), "E0532").await;
        }
        refused(&server.local(&login, ""), "E0532").await;
        let method = if role == "clear" { "password" } else { "md5" };
        accepted(&server.local(&login, &format!("require_auth={method}"))).await;
        refused(
            &server.remote(&login, &format!("{roots}&require_auth=scram-sha-256")),
            "E0532",
        )
        .await;
    }
}

#[tokio::test]
async fn a_server_that_asks_for_nothing_is_refused_where_a_proof_is_wanted() {
    let server = server().await;
    accepted(&server.local("postgres", "")).await;
    refused(
        &server.local("postgres", "require_auth=scram-sha-256"),
        "E0532",
    )
    .await;
    accepted(&server.socket_url("postgres")).await;
    let socket = server.socket_url("postgres");
    refused(&format!("{socket}?require_auth=scram-sha-256"), "E0532").await;
    accepted(&format!("{socket}?require_auth=none")).await;
}

#[tokio::test]
async fn a_client_certificate_logs_in() {
    let server = server().await;
    let signed = server.authority.client("by_certificate");
    let certificate = server.write("client.pem", &signed.certificate);
    let key = server.write("client.key", &signed.key);
    let roots = server.verified();
    let more = format!(
        "{roots}&sslcert={}&sslkey={}",
        certificate.display(),
        key.display()
    );
    accepted(&server.remote("by_certificate", &more)).await;
    refused(&server.remote("by_certificate", &roots), "E0503").await;
}

#[tokio::test]
async fn passwords_are_decoded_and_those_that_are_wrong_refused() {
    let server = server().await;
    let encoded: String = HARD_PASSWORD
        .bytes()
        .map(|byte| format!("%{byte:02x}"))
        .collect();
    let login = format!("hard:{encoded}");
    accepted(&server.remote(&login, &server.verified())).await;
    accepted(&server.local(&login, "sslmode=disable")).await;
    accepted(&server.local("hard", &format!("password={encoded}"))).await;
    refused(&server.local("hard:wrong", ""), "E0503").await;
    refused(&server.local("hard", ""), "E0503").await;
}

#[tokio::test]
async fn plan_and_status_tell_how_they_came_and_warn_of_a_way_that_is_weak() {
    let server = server().await;
    let project = Project::new();
    let tables = beside("public.pg_stat_nothing", &["ssn"]);
    let roots = server.verified();
    for (url, mode, local, encrypted, weak) in [
        (
            server.remote("postgres", &roots),
            "verify-full",
            false,
            true,
            false,
        ),
        (
            server.remote("postgres", &format!("{roots}&sslmode=verify-ca")),
            "verify-ca",
            false,
            true,
            true,
        ),
        (
            server.remote("postgres", "&sslmode=require"),
            "require",
            false,
            true,
            true,
        ),
        (
            server.remote("postgres", "&sslmode=prefer"),
            "prefer",
            false,
            true,
            true,
        ),
        (
            server.remote("postgres", "&sslmode=disable"),
            "disable",
            false,
            false,
            true,
        ),
        (server.local("postgres", ""), "prefer", true, true, false),
        (
            server.local("postgres", "sslmode=disable"),
            "disable",
            true,
            false,
            false,
        ),
    ] {
        project.plan(&planned(&url), &tables);
        project
            .phiseal(&["migrate", "up"])
            .run()
            .await
            .expect_code(0);
        for command in ["plan", "status"] {
            let json = project.phiseal(&[command, "--json"]).run().await.json();
            let connection = &json["connection"];
            assert_eq!(connection["sslmode"], mode, "{json}");
            assert_eq!(connection["local"], local, "{json}");
            assert_eq!(connection["encrypted"], encrypted, "{json}");
            let warnings = json["warnings"].as_array().unwrap();
            let warned = warnings.iter().any(|warning| warning["code"] == "E0533");
            assert_eq!(warned, weak, "{json}");
            let text = project.phiseal(&[command]).run().await.stdout;
            let line = format!("sslmode={mode}");
            assert_eq!(
                text.contains("E0533") && text.contains(&line),
                weak,
                "{text}"
            );
        }
    }
    project.plan(&planned(&server.socket_url("postgres")), &tables);
    let json = project.phiseal(&["status", "--json"]).run().await.json();
    assert_eq!(
        json["connection"]["sslmode"],
        serde_json::Value::Null,
        "{json}"
    );
}

#[tokio::test]
async fn logs_of_every_level_name_no_password_and_no_value_of_the_url() {
    let server = server().await;
    let path = server.write(&format!("{CANARY}.pem"), &server.authority.pem);
    let roots = format!("&sslrootcert={}", path.display());
    let good = server.remote(&as_role("only_tls"), &roots);
    for (url, code) in [
        (good.clone(), 0),
        (server.misnamed(&as_role("only_tls"), &roots), 4),
        (server.local(&as_role("clear"), ""), 4),
        (
            server.local(&as_role("scram"), &format!("colour={CANARY}")),
            2,
        ),
        (
            server.local(&as_role("scram"), &format!("sslmode={CANARY}")),
            2,
        ),
        (
            server.local(&as_role("scram"), &format!("sslrootcert=/{CANARY}")),
            2,
        ),
        (server.local(&format!("scram:wrong{CANARY}"), ""), 4),
    ] {
        for json in [&["--json", "--log-format", "json"][..], &[]] {
            let args = [&["migrate", "status", "--database-url", &url], json].concat();
            let done = crate::support::Phiseal::new(args)
                .cwd(&std::env::temp_dir())
                .env("RUST_LOG", "trace")
                .env("PHISEAL_LOG", "trace")
                .run()
                .await
                .expect_code(code);
            super::silent(&done);
        }
    }
    let done = connects(&good)
        .env("PHISEAL_LOG", "trace,sqlx=trace")
        .run()
        .await;
    super::silent(&done.expect_code(0));
}

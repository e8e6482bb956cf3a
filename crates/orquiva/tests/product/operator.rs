//! The operator's commands, as they are typed.

use std::time::{Duration, Instant};

use http::Method;
use serde_json::{Value, json};

use crate::process::{Installation, on_both_installed};

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_makes_companies_and_clients_and_ends_them_while_the_server_runs() {
    on_both_installed(async |installation| {
        let server = installation.serve();
        let company = installation.json(&["company", "create", "--name", "Acme", "--plan", "pro"]);
        assert_eq!((&company["name"], &company["plan"]), (&json!("Acme"), &json!("pro")));
        let company = company["id"].as_str().unwrap();
        let listed = installation.json(&["company", "list"]);
        assert_eq!((&listed[0]["id"], &listed[0]["closedDepartments"]), (&json!(company), &json!(false)));
        let closed = installation.json(&["company", "update", company, "--closed-departments", "true"]);
        assert_eq!((&closed["id"], &closed["closedDepartments"]), (&json!(company), &json!(true)));

        let made = installation.json(&[
            "client",
            "create",
            "--company",
            company,
            "--name",
            "sync",
            "--scope",
            "employees:read events:read",
        ]);
        let (id, secret) = (made["client_id"].as_str().unwrap(), made["client_secret"].as_str().unwrap());
        let clients = installation.json(&["client", "list", "--company", company]);
        assert_eq!(
            (&clients[0]["client_id"], &clients[0]["scopes"]),
            (&json!(id), &json!("employees:read events:read"))
        );
        assert!(!clients.to_string().contains(secret), "a secret is shown once");
        assert_eq!(server.token(id, secret).await.0, 200);

        let rotated = installation.json(&["client", "rotate", id]);
        let new = rotated["client_secret"].as_str().unwrap();
        assert_eq!(server.token(id, new).await.0, 200, "at once");
        assert_eq!(server.token(id, secret).await.0, 200, "the old one for a day");

        let (_, answer) = server.token(id, new).await;
        let token = answer["access_token"].as_str().unwrap();
        assert_eq!(server.call(token, Method::GET, "/v1/employees", &Value::Null).await.unwrap().0, 200);
        assert_eq!(installation.json(&["client", "revoke", id])["revoked"], true);
        let revoked = now();
        while server.call(token, Method::GET, "/v1/employees", &Value::Null).await.unwrap().0 == 200 {
            assert!(revoked.elapsed() < Duration::from_secs(1), "its live tokens end within a second");
        }
        assert_eq!(server.token(id, new).await.0, 401);
        assert!(installation.run(&["key", "rotate"]).status.success());
    })
    .await;
}

#[expect(clippy::disallowed_methods, reason = "this test is about real seconds of a real server")]
fn now() -> Instant {
    Instant::now()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistyped_command_says_what_to_do() {
    on_both_installed(async |installation| {
        let says = |args: &[&str], words: &str| {
            let said = installation.refusal(args);
            assert!(said.contains(words) && said.lines().count() == 1, "{args:?} says: {said}");
        };
        let nobody = "cmp_01JQ8Z6X3V4M5N6P7R8S9T0A1B";
        says(&["client", "create", "--company", "acme", "--name", "x"], "`acme` is no company's id");
        says(
            &["client", "create", "--company", nobody, "--name", "x"],
            "there is no company cmp_01JQ8Z6X3V4M5N6P7R8S9T0A1B",
        );
        says(&["client", "revoke", "cli_01JQ8Z6X3V4M5N6P7R8S9T0A1B"], "there is no client");
        says(&["client", "rotate", "acme"], "`acme` is no client_id");
        says(&["company", "update", nobody, "--closed-departments", "true"], "there is no company");
        says(&["company", "create", "--name", "  "], "a company's name has 1 to 200 characters");
        let company = installation.json(&["company", "create", "--name", "Acme"]);
        assert_eq!(company["plan"], "free");
        let company = company["id"].as_str().unwrap();
        says(
            &["client", "create", "--company", company, "--name", "x", "--scope", "salaries:read"],
            "there is no scope `salaries:read`",
        );
        assert_eq!(
            installation.run(&["company", "create", "--name", "x", "--plan", "gold"]).status.code(),
            Some(2)
        );
        assert_eq!(installation.json(&["client", "list", "--company", company]), json!([]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_server_alone_works_on_a_data_folder() {
    let installation = Installation { folder: tempfile::tempdir().unwrap(), database_url: None };
    let _server = installation.serve();
    let said = installation.refusal(&["serve", "--listen", "127.0.0.1:0"]);
    assert!(said.contains("another Orquiva already serves"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_opened_under_its_own_master_key_only() {
    on_both_installed(async |installation| {
        installation.client();
        let other = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        let said = installation.refusal(&["company", "list", "--master-key", other]);
        assert!(said.contains("another master key"), "{said}");
        let said = installation.refusal(&["company", "list", "--master-key", "short"]);
        assert!(said.contains("base64 of 32 bytes"), "{said}");

        let file = installation.data_dir().join("master.key");
        let key = std::fs::read_to_string(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        let said = installation.refusal(&["company", "list"]);
        assert!(said.contains("another master key"), "{said}");
        assert!(!file.exists(), "a key that opens nothing is not left behind");
        assert_eq!(installation.json(&["company", "list", "--master-key", key.trim()])[0]["name"], "Acme");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let fresh = Installation { folder: tempfile::tempdir().unwrap(), database_url: None };
            fresh.client();
            let mode = std::fs::metadata(fresh.data_dir().join("master.key")).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_stored_or_logged_in_plain() {
    let installation = Installation { folder: tempfile::tempdir().unwrap(), database_url: None };
    let (id, secret) = installation.client();
    let log = installation.folder.path().join("log");
    let mut command = installation.command(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--allow-private-webhooks",
        "--log",
        "trace",
    ]);
    let stderr = std::fs::File::create(&log).unwrap();
    let mut server = installation.start(command.stderr(stderr));
    let (_, answer) = server.token(&id, &secret).await;
    let token = answer["access_token"].as_str().unwrap();
    let receiver = crate::harness::Receiver::start().await;
    let subscription = json!({ "url": receiver.url, "events": ["*"] });
    let webhook = server.call(token, Method::POST, "/v1/webhooks", &subscription).await.unwrap().1;
    let ana = json!({ "fullName": "Ana Ruiz", "email": "ana.ruiz@acme.test" });
    assert_eq!(server.call(token, Method::POST, "/v1/employees", &ana).await.unwrap().0, 201);
    receiver.has_got(1).await;
    server.stop().await;

    let mut files = vec![(log, true)];
    files.extend(
        std::fs::read_dir(installation.data_dir()).unwrap().map(|file| (file.unwrap().path(), false)),
    );
    assert!(files.len() >= 4, "{files:?}");
    for (file, is_log) in files {
        let bytes = std::fs::read(&file).unwrap();
        let has = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        let webhook_secret = webhook["secret"].as_str().unwrap();
        assert!(!has(&secret) && !has(webhook_secret) && !has(token), "{} has a secret", file.display());
        assert!(!(is_log && has("ana.ruiz@acme.test")), "the log has an e-mail address");
    }
}

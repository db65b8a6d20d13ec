//! The commands beside `serve`: keys, humans, tokens, migrations.

use super::{FREE_PORT, anonymous, api_key, bearer, err, failed, is_secret, line, login, out, printed, run};
use crate::support::hub::text;
use crate::support::postgres;
use crate::support::process::{Process, hiloop};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tempfile::tempdir;

#[tokio::test]
async fn changes_of_the_command_line_are_audited() {
    let folder = tempdir().expect("a folder");
    let hub = Process::start(folder.path(), FREE_PORT);
    let entries = async |key: &str| {
        let entries = api_key(&hub, key).get("/v1/manage/audit?pageSize=100").await.expect(200);
        let entry = |entry: &Value| {
            let actor = text(&entry["actor"]["name"]).to_owned();
            (text(&entry["event"]).to_owned(), text(&entry["target"]["name"]).to_owned(), actor)
        };
        entries["data"].as_array().expect("a list").iter().map(entry).collect::<Vec<_>>()
    };
    let by_command = |event: &str, name: &str| (event.to_owned(), name.to_owned(), "Command line".to_owned());
    let first = [
        by_command("space.created", "default"),
        by_command("agent.created", "default"),
        by_command("key.created", "owner"),
        by_command("human.created", "Owner"),
    ];
    let owner = printed(&hub, "API key").to_owned();
    assert_eq!(entries(&owner).await, first);
    run(hiloop(folder.path()).args(["humans", "create", "--email", "ada@example.org", "--name", "Ada"]));
    run(hiloop(folder.path()).args(["keys", "create", "--agent", "bot"]));
    run(hiloop(folder.path()).args(["keys", "create", "--agent", "bot"]));
    let made = [
        by_command("human.created", "Ada"),
        by_command("agent.created", "bot"),
        by_command("key.created", "agent"),
        by_command("key.created", "agent"),
    ];
    assert_eq!(entries(&owner).await[first.len()..], made);
    let elsewhere = run(hiloop(folder.path()).args(["keys", "create", "--space", "second", "--permission", "manage"]));
    let there = [
        by_command("space.created", "second"),
        by_command("agent.created", "default"),
        by_command("key.created", "manage"),
    ];
    assert_eq!(entries(line(&elsewhere)).await, there);
}

#[tokio::test]
async fn a_created_key_is_printed_alone_and_is_valid() {
    let folder = tempdir().expect("a folder");
    let hub = Process::start(folder.path(), FREE_PORT);
    let create = |args: &[&str]| run(hiloop(folder.path()).args(["keys", "create"]).args(args));
    let plain = create(&[]);
    let plain = line(&plain);
    assert!(is_secret(plain, "hlp_"), "{plain}");
    let me = api_key(&hub, plain).get("/v1/agent/me").await.expect(200);
    assert_eq!((&me["permission"], &me["name"]), (&json!("agent"), &json!("default")));
    api_key(&hub, plain).get("/v1/manage/keys").await.expect_error(403, "FORBIDDEN");

    for (permission, manages, owns) in
        [("agent", 403, 403), ("space", 403, 403), ("manage", 200, 403), ("owner", 200, 200)]
    {
        let key = create(&["--permission", permission, "--agent", "worker"]);
        let client = api_key(&hub, line(&key));
        let me = client.get("/v1/agent/me").await.expect(200);
        assert_eq!((&me["permission"], &me["name"]), (&json!(permission), &json!("worker")));
        assert_eq!(client.get("/v1/manage/keys").await.status, manages, "{permission}");
        assert_eq!(client.get("/v1/manage/spaces").await.status, owns, "{permission}");
    }
    let provision = create(&["--permission", "provision"]);
    assert!(is_secret(line(&provision), "hlp_prov_"), "{provision:?}");
    let provisioner = api_key(&hub, line(&provision));
    let made = provisioner.post("/v1/provision/agents", json!({ "name": "made" })).await.expect(201);
    assert_eq!(api_key(&hub, text(&made["apiKey"])).get("/v1/agent/me").await.expect(200)["name"], "made");
    provisioner.get("/v1/agent/me").await.expect_error(403, "FORBIDDEN");

    let elsewhere = create(&["--space", "second", "--permission", "manage"]);
    let there = api_key(&hub, line(&elsewhere)).get("/v1/agent/me").await.expect(200);
    assert_ne!(there["spaceId"], me["spaceId"]);
    let again = create(&["--space", "second"]);
    assert_eq!(api_key(&hub, line(&again)).get("/v1/agent/me").await.expect(200)["spaceId"], there["spaceId"]);

    failed(&create(&["--permission", "root"]), "--permission");
    failed(&create(&["--agent", "no spaces"]), "--agent");
    failed(&create(&["--space", ""]), "--space");
    failed(&run(hiloop(folder.path()).args(["keys", "create"]).env("DATABASE_URL", "mysql://x")), "DATABASE_URL");
}

#[tokio::test]
async fn a_key_created_before_the_first_start_is_valid() {
    let folder = tempdir().expect("a folder");
    let key = run(hiloop(folder.path()).args(["keys", "create", "--permission", "manage"]));
    let key = line(&key).to_owned();
    let hub = Process::start(folder.path(), FREE_PORT);
    api_key(&hub, &key).get("/v1/manage/keys").await.expect(200);
}

#[tokio::test]
async fn humans_are_created_with_a_password_or_a_setup_link() {
    let folder = tempdir().expect("a folder");
    let hub = Process::start(folder.path(), FREE_PORT);
    let create = |args: &[&str]| {
        run(hiloop(folder.path()).args(["humans", "create"]).args(args).env("HILOOP_PUBLIC_URL", "https://hub.example"))
    };
    let ada = create(&["--email", "Ada@Example.org", "--name", "Ada", "--password", "a long password"]);
    assert!(ada.status.success(), "{ada:?}");
    assert!(!out(&ada).contains("a long password") && !err(&ada).contains("a long password"));
    let tokens = login(&hub, "ada@example.org", "a long password").await;
    let me = bearer(&hub, text(&tokens["accessToken"])).get("/v1/human/me").await.expect(200);
    assert_eq!(me["name"], "Ada");

    let bob = create(&["--email", "bob@example.org", "--name", "Bob"]);
    let link = line(&bob);
    let (address, token) = link.split_once("#setup=").expect("a link");
    assert_eq!(address, "https://hub.example/");
    let body = json!({ "token": token, "password": "another password" });
    anonymous(&hub).post("/v1/auth/setup", body).await.expect(200);
    login(&hub, "bob@example.org", "another password").await;

    failed(&create(&["--email", "bob@example.org", "--name", "Bob"]), "email");
    failed(&create(&["--email", "nobody", "--name", "N"]), "email");
    failed(&create(&["--email", "c@example.org", "--name", ""]), "name");
    failed(&create(&["--email", "c@example.org", "--name", "C", "--password", "short"]), "password");
    failed(&create(&["--email", "c@example.org", "--name", "C", "--space", "nowhere"]), "--space");
}

#[tokio::test]
async fn a_token_is_printed_alone_and_has_the_requested_lifetime() {
    let folder = tempdir().expect("a folder");
    let hub = Process::start(folder.path(), FREE_PORT);
    let email = printed(&hub, "e-mail").to_owned();
    let claims = |token: &str| -> Value {
        let payload = token.split('.').nth(1).expect("a payload");
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).expect("base64")).expect("JSON")
    };
    for (args, seconds) in [(&[][..], 3600), (&["--ttl", "60"], 60), (&["--ttl", "86400"], 86_400)] {
        let output = run(hiloop(folder.path()).args(["token", "--email", &email]).args(args));
        let token = line(&output);
        let me = bearer(&hub, token).get("/v1/human/me").await.expect(200);
        assert_eq!(me["email"], json!(email));
        let claims = claims(token);
        let holds = claims["exp"].as_f64().expect("exp") - claims["iat"].as_f64().expect("iat");
        assert!((holds - f64::from(seconds)).abs() <= 1.0, "{claims}");
    }
    // One second, and it is over.
    let output = run(hiloop(folder.path()).args(["token", "--email", &email, "--ttl", "1"]));
    let brief = bearer(&hub, line(&output));
    crate::support::eventually("the end of a short token", async || {
        (brief.get("/v1/human/me").await.status == 401).then_some(())
    })
    .await;
    let upper = run(hiloop(folder.path()).args(["token", "--email", &email.to_uppercase()]));
    bearer(&hub, line(&upper)).get("/v1/human/me").await.expect(200);
    failed(&run(hiloop(folder.path()).args(["token", "--email", "nobody@example.org"])), "--email");
    for ttl in ["0", "-1", "soon"] {
        let output = run(hiloop(folder.path()).args(["token", "--email", &email, &format!("--ttl={ttl}")]));
        assert!(!output.status.success() && err(&output).contains("--ttl"), "{output:?}");
        assert_eq!(out(&output), "");
    }
}

#[test]
fn an_invalid_jwt_secret_is_refused_by_every_command() {
    let folder = tempdir().expect("a folder");
    assert!(run(hiloop(folder.path()).args(["humans", "create", "--email", "a@b.c", "--name", "A"])).status.success());
    let output = run(hiloop(folder.path()).args(["token", "--email", "a@b.c"]).env("HILOOP_JWT_SECRET", "short"));
    failed(&output, "HILOOP_JWT_SECRET");
}

#[test]
fn migrate_creates_the_store_and_is_idempotent() {
    let folder = tempdir().expect("a folder");
    for url in [format!("sqlite://{}/new/deep/hub.db", folder.path().display()), postgres::new_database()] {
        for _ in 0..2 {
            let output = run(hiloop(folder.path()).arg("migrate").env("DATABASE_URL", &url));
            assert!(output.status.success(), "{output:?}");
            assert_eq!(err(&output), "");
        }
        // It makes no secrets: the first start does.
        let hub = Process::spawn(hiloop(folder.path()).env("DATABASE_URL", &url).env("HILOOP_LISTEN", FREE_PORT));
        assert!(is_secret(printed(&hub, "API key"), "hlp_"));
    }
    assert!(folder.path().join("new/deep/hub.db").exists());
    failed(&run(hiloop(folder.path()).arg("migrate").env("DATABASE_URL", "oracle://x")), "DATABASE_URL");
}

#[test]
fn humans_can_be_created_with_an_external_issuer_configured() {
    let folder = tempfile::tempdir().expect("a folder");
    let command = |args: &[&str]| {
        let mut command = hiloop(folder.path());
        command.env("HILOOP_JWKS_URL", "https://idp.example/keys").args(args);
        run(&mut command)
    };
    let made = command(&["humans", "create", "--email", "ada@example.org", "--name", "Ada"]);
    assert!(line(&made).contains("#setup="), "{made:?}");
    let token = command(&["token", "--email", "ada@example.org"]);
    assert_eq!(line(&token).split('.').count(), 3, "{token:?}");
}

//! Section 10: each command.

use crate::cli::{api_key, bearer, err, failed, is_secret, line, login, out, printed, run, run_with_input};
use crate::support::deployment::Kind;
use crate::support::hub::{SESSIONS, at_human, text};
use crate::support::process::{Process, hiloop};
use crate::support::{Client, on_every_deployment};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::tempdir;

/// `hiloop` with the store of this kind of deployment, a free port, and nothing else.
pub fn serve(kind: Kind, folder: &Path) -> Command {
    let mut command = hiloop(folder);
    command.env("DATABASE_URL", kind.database_url(folder)).env("HILOOP_LISTEN", "127.0.0.1:0");
    command.envs(kind.redis_url().map(|url| ("REDIS_URL", url)));
    command
}

/// A program that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A hub of this kind that serves, and how commands beside it reach its store.
fn serving(kind: Kind, folder: &Path) -> (Process, impl Fn(&[&str]) -> Command) {
    let folder = folder.to_owned();
    let url = kind.database_url(&folder);
    let command = move |args: &[&str]| {
        let mut command = hiloop(&folder);
        command.env("DATABASE_URL", &url).args(args);
        command
    };
    (Process::spawn(command(&[]).env("HILOOP_LISTEN", "127.0.0.1:0")), command)
}

on_every_deployment! {
    async fn hiloop_serve(kind: Kind) {
        for args in [&[][..], &["serve"]] {
            let folder = tempdir().expect("a folder");
            let (mut hub, again) = {
                let url = kind.database_url(folder.path());
                let folder = folder.path().to_owned();
                let start = move || {
                    let mut command = hiloop(&folder);
                    Process::spawn(command.env("DATABASE_URL", &url).env("HILOOP_LISTEN", "127.0.0.1:0").args(args))
                };
                (start(), start)
            };
            // On an empty store: the space `default`, an owner key and a human, printed with the chat's URL.
            assert_eq!(printed(&hub, "chat").trim_end_matches('/'), hub.base);
            let key = printed(&hub, "API key").to_owned();
            assert!(is_secret(&key, "hlp_"), "{key}");
            let owner = hub.owner();
            assert_eq!(owner.get("/v1/agent/me").await.expect(200)["permission"], "owner");
            assert_eq!(owner.get("/v1/manage/spaces").await.expect(200)["data"][0]["name"], "default");
            let tokens = login(&hub, printed(&hub, "e-mail"), printed(&hub, "password")).await;
            bearer(&hub, text(&tokens["accessToken"])).get("/v1/human/me").await.expect(200);
            assert_eq!(hub.terminate(), Some(0));
            // Once.
            let hub = again();
            assert!(!hub.output.contains("hlp_") && !hub.output.contains("password"), "{}", hub.output);
            api_key(&hub, &key).get("/v1/agent/me").await.expect(200);
        }
    }

    async fn hiloop_migrate(kind: Kind) {
        let folder = tempdir().expect("a folder");
        let url = kind.database_url(folder.path());
        for _ in 0..2 {
            let output = run(hiloop(folder.path()).arg("migrate").env("DATABASE_URL", &url));
            assert!(output.status.success(), "{output:?}");
        }
        let hub = Process::spawn(hiloop(folder.path()).env("DATABASE_URL", &url).env("HILOOP_LISTEN", "127.0.0.1:0"));
        assert!(is_secret(printed(&hub, "API key"), "hlp_"));
    }

    async fn hiloop_keys_create(kind: Kind) {
        let folder = tempdir().expect("a folder");
        let (hub, command) = serving(kind, folder.path());
        let plain = run(&mut command(&["keys", "create"]));
        assert_eq!(api_key(&hub, line(&plain)).get("/v1/agent/me").await.expect(200)["permission"], "agent");
        for permission in ["agent", "space", "manage", "owner"] {
            let key = run(&mut command(&["keys", "create", "--space", "S", "--permission", permission, "--agent", "worker"]));
            assert!(is_secret(line(&key), "hlp_"));
            let me = api_key(&hub, line(&key)).get("/v1/agent/me").await.expect(200);
            assert_eq!((&me["permission"], &me["name"]), (&json!(permission), &json!("worker")));
        }
        let key = run(&mut command(&["keys", "create", "--permission", "provision"]));
        assert!(is_secret(line(&key), "hlp_prov_"));
        let bad = run(&mut command(&["keys", "create", "--permission", "all"]));
        assert!(!bad.status.success() && err(&bad).contains("--permission"), "{bad:?}");
    }

    async fn hiloop_humans_create(kind: Kind) {
        let folder = tempdir().expect("a folder");
        let (hub, command) = serving(kind, folder.path());
        let password = "correct horse battery";
        let made = run(&mut command(&["humans", "create", "--email", "ada@example.org", "--name", "Ada", "--password", password]));
        assert!(made.status.success(), "{made:?}");
        let tokens = login(&hub, "ada@example.org", password).await;
        assert_eq!(bearer(&hub, text(&tokens["accessToken"])).get("/v1/human/me").await.expect(200)["name"], "Ada");
        let invited = run(&mut command(&["humans", "create", "--email", "b@example.org", "--name", "B"]));
        let (_, setup) = out(&invited).split_once("#setup=").expect("a link");
        let body = json!({ "token": setup.trim(), "password": password });
        Client::anonymous(&hub.base).post("/v1/auth/setup", body).await.expect(200);
        failed(&run(&mut command(&["humans", "create", "--email", "nobody", "--name", "N"])), "--email");
        // The role, and a password that is not visible in process lists.
        let typed = folder.path().join("password");
        std::fs::write(&typed, format!("{password}\nnot this\n")).expect("a file");
        let mut create = command(&["humans", "create", "--email", "c@example.org", "--name", "C", "--role", "Admin", "--password-stdin"]);
        let made = run_with_input(&mut create, std::fs::File::open(&typed).expect("the file"));
        assert!(made.status.success(), "{made:?}");
        let tokens = login(&hub, "c@example.org", password).await;
        assert_eq!(bearer(&hub, text(&tokens["accessToken"])).get("/v1/human/me").await.expect(200)["role"], "Admin");
        let create = ["humans", "create", "--email", "d@example.org", "--name", "D"];
        failed(&run(&mut command(&[&create[..], &["--password-stdin"]].concat())), "--password-stdin");
        failed(&run(&mut command(&[&create[..], &["--role", "Owner"]].concat())), "--role");
    }

    async fn hiloop_token(kind: Kind) {
        let folder = tempdir().expect("a folder");
        let (hub, command) = serving(kind, folder.path());
        let email = printed(&hub, "e-mail").to_owned();
        for args in [&["token", "--email", &email][..], &["token", "--email", &email, "--ttl", "60"]] {
            let output = run(&mut command(args));
            let me = bearer(&hub, line(&output)).get("/v1/human/me").await.expect(200);
            assert_eq!(me["email"], json!(email));
        }
        failed(&run(&mut command(&["token", "--email", "nobody@example.org"])), "--email");
        // An address in several spaces requires the space.
        hub.owner().post("/v1/manage/spaces", json!({ "name": "second" })).await.expect(201);
        let twin = run(&mut command(&["humans", "create", "--email", &email, "--name", "Twin", "--space", "second"]));
        assert!(twin.status.success(), "{twin:?}");
        failed(&run(&mut command(&["token", "--email", &email])), "--space");
        failed(&run(&mut command(&["token", "--email", &email, "--space", "third"])), "--space");
        failed(&run(&mut command(&["token", "--email", "nobody@example.org", "--space", "second"])), "--email");
        for (space, name) in [("default", "Owner"), ("second", "Twin")] {
            let output = run(&mut command(&["token", "--email", &email, "--space", space]));
            assert_eq!(bearer(&hub, line(&output)).get("/v1/human/me").await.expect(200)["name"], name);
        }
    }

    async fn hiloop_openapi(kind: Kind) {
        let folder = tempdir().expect("a folder");
        let (hub, command) = serving(kind, folder.path());
        let printed: Value = serde_json::from_str(out(&run(&mut command(&["openapi"])))).expect("JSON");
        assert_eq!(printed, Client::anonymous(&hub.base).get("/openapi.json").await.expect(200));
    }

    async fn hiloop_demo(kind: Kind) {
        let folder = tempdir().expect("a folder");
        let (hub, command) = serving(kind, folder.path());
        let email = printed(&hub, "e-mail").to_owned();
        let token = run(&mut command(&["token", "--email", &email]));
        let human = bearer(&hub, line(&token));
        let demo = command(&["demo", "--url", &hub.base, "--pace", "0"]).stdout(Stdio::null()).spawn();
        let _demo = Running(demo.expect("it runs"));
        // It opens a session with the humans of the space.
        let session = crate::support::eventually("a session", async || {
            let page = human.get("/v1/human/sessions").await.expect(200);
            page["data"][0]["id"].as_str().map(str::to_owned)
        })
        .await;
        crate::support::eventually("a message", async || {
            let page = human.get(&at_human(&session, "/messages")).await.expect(200);
            page["data"].as_array().is_some_and(|all| !all.is_empty()).then_some(())
        })
        .await;
        assert_ne!(hub.owner().get(SESSIONS).await.expect(200)["total"], 0);
    }
}

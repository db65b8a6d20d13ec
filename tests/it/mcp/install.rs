//! The server in the settings of programs: added, brought up to date and removed, and nothing else is touched.

use super::mcp;
use crate::cli::{err, out, run, run_with_input};
use serde_json::{Value, json};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tempfile::tempdir;

fn installer(folder: &Path, args: &[&str]) -> Command {
    let mut command = mcp(folder, args);
    command.env("HILOOP_BASE_URL", "https://hub.example.org").env_remove("HILOOP_LOG");
    command
}

#[track_caller]
fn done(output: &Output) -> &str {
    assert!(output.status.success(), "{output:?}");
    out(output)
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("a file")).expect("JSON")
}

#[test]
fn the_server_is_added_to_json_and_removed() {
    for (program, scope, file, reference) in [
        ("claude-code", "user", ".claude.json", "${HILOOP_API_KEY}"),
        ("claude-code", "project", ".mcp.json", "${HILOOP_API_KEY}"),
        ("cursor", "user", ".cursor/mcp.json", "${env:HILOOP_API_KEY}"),
        ("cursor", "project", ".cursor/mcp.json", "${env:HILOOP_API_KEY}"),
    ] {
        let folder = tempdir().expect("a folder");
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        let before =
            json!({ "numStartups": 12, "mcpServers": { "other": { "command": "x", "later": [1.5] } }, "z": null });
        fs::write(&path, before.to_string()).expect("a file");
        fs::set_permissions(&path, Permissions::from_mode(0o640)).expect("a mode");
        let install = ["install", program, "--scope", scope];
        let uninstall = ["uninstall", program, "--scope", scope, "--yes"];

        let refused = run_with_input(&mut installer(folder.path(), &install), Stdio::null());
        assert!(!refused.status.success() && err(&refused).contains("nothing was written"), "{refused:?}");
        assert!(out(&refused).contains("hub.example.org") && out(&refused).contains(file), "{refused:?}");
        assert_eq!(read(&path), before);

        let install = [&install[..], &["--yes"]].concat();
        done(&run(&mut installer(folder.path(), &install)));
        let installed = read(&path);
        let server = &installed["mcpServers"]["hiloop"];
        assert!(server["command"].as_str().is_some_and(|command| command.ends_with("/hiloop")), "{server}");
        assert_eq!(server["args"], json!(["mcp"]));
        assert_eq!(server["env"], json!({ "HILOOP_API_KEY": reference, "HILOOP_BASE_URL": "https://hub.example.org" }));
        assert_eq!(server.get("type"), (program == "claude-code").then(|| json!("stdio")).as_ref());
        assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o640);
        assert!(done(&run(&mut installer(folder.path(), &install))).contains("nothing to change"));

        // What somebody added to the entry stays.
        let mut edited = installed.clone();
        edited["mcpServers"]["hiloop"]["disabled"] = json!(true);
        edited["mcpServers"]["hiloop"]["env"]["HILOOP_API_KEY"] = json!("hlp_mine");
        edited["mcpServers"]["hiloop"]["env"]["HILOOP_SECRET_KEY"] = json!("private-mine");
        edited["mcpServers"]["hiloop"]["command"] = json!("/old/hiloop");
        fs::write(&path, edited.to_string()).expect("a file");
        let printed = run(&mut installer(folder.path(), &install));
        for secret in ["hlp_mine", "private-mine"] {
            assert!(!done(&printed).contains(secret), "{printed:?}");
        }
        edited["mcpServers"]["hiloop"]["command"] = server["command"].clone();
        assert_eq!(read(&path), edited);

        done(&run(&mut installer(folder.path(), &uninstall)));
        assert_eq!(read(&path), before);
        assert!(done(&run(&mut installer(folder.path(), &uninstall))).contains("nothing to change"));
        let taken = run(&mut installer(folder.path(), &[&install[..], &["--name", "other"]].concat()));
        assert!(!taken.status.success() && err(&taken).contains("--name"), "{taken:?}");
        assert_eq!(read(&path), before);
    }
}

#[test]
fn a_key_is_written_only_when_it_is_asked_for() {
    let folder = tempdir().expect("a folder");
    let path = folder.path().join(".config/Claude/claude_desktop_config.json");
    let key = format!("hlp_{}", "7".repeat(64));
    let with = |args: &[&str]| run(installer(folder.path(), args).env("HILOOP_API_KEY", &key));

    let refused = with(&["install", "claude-desktop", "--yes"]);
    assert!(!refused.status.success() && err(&refused).contains("--with-key"), "{refused:?}");
    let unset = run(&mut installer(folder.path(), &["install", "claude-desktop", "--yes", "--with-key"]));
    assert!(!unset.status.success() && err(&unset).contains("HILOOP_API_KEY is not set"), "{unset:?}");
    assert!(!path.exists());

    let written = with(&["install", "claude-desktop", "--yes", "--with-key"]);
    assert!(!done(&written).contains(&key) && !out(&written).contains("WARNING"), "{written:?}");
    assert_eq!(read(&path)["mcpServers"]["hiloop"]["env"]["HILOOP_API_KEY"], key);
    assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
    done(&with(&["uninstall", "claude-desktop", "--yes"]));
    assert_eq!(read(&path), json!({}));

    // Into a file that others can read, or that is shared, with a warning.
    fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("a mode");
    let open = with(&["install", "claude-desktop", "--yes", "--with-key"]);
    assert!(done(&open).contains("WARNING: others on this machine can read"), "{open:?}");
    let project = with(&["install", "claude-code", "--scope", "project", "--yes", "--with-key"]);
    assert!(done(&project).contains("do not commit it"), "{project:?}");
    let plain = with(&["install", "cursor", "--yes"]);
    assert!(!fs::read_to_string(folder.path().join(".cursor/mcp.json")).expect("a file").contains(&key), "{plain:?}");
    let none = with(&["install", "claude-desktop", "--scope", "project", "--yes", "--with-key"]);
    assert!(!none.status.success() && err(&none).contains("no settings of a project"), "{none:?}");
}

#[test]
fn the_server_is_added_to_toml_and_removed() {
    for (scope, file) in [("user", ".codex/config.toml"), ("project", ".codex/config.toml")] {
        let folder = tempdir().expect("a folder");
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        let before = "# mine\nmodel = \"o5\" # fast\n\n[mcp_servers.other]\ncommand = \"x\"\n\n[tui]\ntheme = 'dark'\n";
        fs::write(&path, before).expect("a file");
        let install = ["install", "codex", "--scope", scope, "--yes"];
        done(&run(&mut installer(folder.path(), &install)));
        let installed = fs::read_to_string(&path).expect("a file");
        for kept in ["# mine\nmodel = \"o5\" # fast", "[mcp_servers.other]\ncommand = \"x\"", "[tui]\ntheme = 'dark'"] {
            assert!(installed.contains(kept), "{installed}");
        }
        assert!(installed.contains("[mcp_servers.hiloop]\ncommand = \""), "{installed}");
        assert!(installed.contains("env_vars = [\"HILOOP_API_KEY\"") && installed.contains("https://hub.example.org"));
        assert!(done(&run(&mut installer(folder.path(), &install))).contains("nothing to change"));
        // Secrets that somebody wrote into the entry are not printed.
        let secrets =
            "HILOOP_SECRET_KEY = \"private-mine\", HILOOP_API_KEY = \"hlp_mine\", HILOOP_BASE_URL = \"http://old\"";
        fs::write(&path, installed.replace("HILOOP_BASE_URL = \"https://hub.example.org\"", secrets)).expect("a file");
        let printed = run(&mut installer(folder.path(), &install));
        assert!(done(&printed).contains("HILOOP_SECRET_KEY") && !out(&printed).contains("mine\""), "{printed:?}");
        assert!(fs::read_to_string(&path).expect("a file").contains("private-mine"));
        done(&run(&mut installer(folder.path(), &["uninstall", "codex", "--scope", scope, "--yes"])));
        assert_eq!(fs::read_to_string(&path).expect("a file"), before);

        fs::write(&path, "model = ").expect("a file");
        let broken = run(&mut installer(folder.path(), &install));
        assert!(!broken.status.success() && err(&broken).contains("is not TOML"), "{broken:?}");
        assert_eq!(fs::read_to_string(&path).expect("a file"), "model = ");
    }
}

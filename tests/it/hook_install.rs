//! `hiloop hook install`: what it writes into the settings of coding agents, and what a shell makes of that.

use crate::cli::{err, out, run, run_with_input};
use crate::hook::hook;
use crate::support::hub::text;
use serde_json::Value;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use tempfile::tempdir;

#[test]
fn hooks_are_installed_once_and_removed() {
    let folder = tempdir().expect("a folder");
    let settings = folder.path().join(".claude/settings.json");
    std::fs::create_dir(folder.path().join(".claude")).expect("a folder");
    let before = r#"{"model":"opus","hooks":{"Stop":[{"hooks":[{"type":"command","command":"say done"}]}]}}"#;
    std::fs::write(&settings, before).expect("a file");
    std::fs::set_permissions(&settings, std::fs::Permissions::from_mode(0o640)).expect("a mode");
    let read = || -> Value { serde_json::from_slice(&std::fs::read(&settings).expect("a file")).expect("JSON") };

    let output = run_with_input(&mut hook(folder.path(), &["install", "claude-code"]), Stdio::null());
    assert!(!output.status.success() && err(&output).contains("nothing was written"), "{output:?}");
    assert!(out(&output).contains("PermissionRequest") && out(&output).contains("settings.json"));
    assert!(out(&output).contains("WARNING: without --to"), "{output:?}");
    assert_eq!(read(), serde_json::from_str::<Value>(before).expect("JSON"));

    let install = ["install", "claude-code", "--yes", "--ask", "tools", "--to", "ada@example.org"];
    let output = run(&mut hook(folder.path(), &install));
    assert!(output.status.success() && !out(&output).contains("WARNING"), "{output:?}");
    let installed = read();
    let command = text(&installed["hooks"]["PreToolUse"][0]["hooks"][0]["command"]);
    assert!(command.ends_with("hook claude-code --timeout 600 --to ada@example.org || exit 2"), "{command}");
    let again = run(&mut hook(folder.path(), &install));
    assert!(again.status.success() && out(&again).contains("nothing to change"));
    assert_eq!(read(), installed);
    assert_eq!(std::fs::metadata(&settings).expect("a file").permissions().mode() & 0o777, 0o640);
    assert!(run(&mut hook(folder.path(), &["uninstall", "claude-code", "--yes"])).status.success());
    assert_eq!(read(), serde_json::from_str::<Value>(before).expect("JSON"));

    assert!(run(&mut hook(folder.path(), &["install", "codex", "--yes", "--project"])).status.success());
    let codex = std::fs::read_to_string(folder.path().join(".codex/hooks.json")).expect("a file");
    assert!(codex.contains("hook codex --timeout 600 || exit 2"), "{codex}");

    std::fs::write(&settings, "{ // a comment").expect("a file");
    let output = run(&mut hook(folder.path(), &["install", "claude-code", "--yes"]));
    assert!(!output.status.success() && err(&output).contains("is not JSON"), "{output:?}");
    assert_eq!(std::fs::read_to_string(&settings).expect("a file"), "{ // a comment");
}

/// What `install` writes is what a shell runs: a program that is gone is a denial.
#[test]
fn a_program_that_is_gone_is_a_denial() {
    let folder = tempdir().expect("a folder");
    assert!(run(&mut hook(folder.path(), &["install", "claude-code", "--yes"])).status.success());
    let settings = std::fs::read(folder.path().join(".claude/settings.json")).expect("a file");
    let settings: Value = serde_json::from_slice(&settings).expect("JSON");
    let command = text(&settings["hooks"]["PermissionRequest"][0]["hooks"][0]["command"]);
    let gone = command.replace("hiloop hook", "hiloop-gone hook");
    assert_ne!(gone, command);
    let output = run(Command::new("sh").args(["-c", &gone]));
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

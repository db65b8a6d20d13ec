//! The hub as in its container image: the last stage of the Dockerfile is laid out in a folder that becomes the root
//! file system, read-only except for its volume, for an unprivileged user.

use crate::cli::{err, failed, out, run};
use crate::support::hub::{at_agent, text};
use crate::support::postgres::{self, is_root};
use crate::support::process::{Process, hiloop};
use crate::support::{Client, Port};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::{TempDir, tempdir};

const DOCKERFILE: &str = include_str!("../../Dockerfile");

/// The instructions of the Dockerfile's last stage, each with what follows it.
fn image() -> Vec<(&'static str, String)> {
    let lines: Vec<_> = DOCKERFILE.lines().filter(|line| !line.starts_with('#')).collect();
    let begin = lines.iter().rposition(|line| line.starts_with("FROM ")).expect("a stage");
    let joined = lines[begin..].join("\n").replace("\\\n", " ");
    let names = ["FROM", "RUN", "COPY", "WORKDIR", "VOLUME", "ENV", "EXPOSE", "USER", "STOPSIGNAL", "HEALTHCHECK"];
    let instructions = joined.lines().filter(|line| !line.trim().is_empty()).map(|line| {
        let (name, rest) = line.split_once(' ').expect("an instruction");
        let name = names.iter().chain(&["ENTRYPOINT", "CMD"]).find(|known| **known == name);
        (*name.unwrap_or_else(|| panic!("unsupported instruction: {line}")), rest.trim().to_owned())
    });
    instructions.collect()
}

/// The arguments of the only instruction with this name.
fn said(name: &str) -> String {
    let found: Vec<_> = image().into_iter().filter(|(known, _)| *known == name).collect();
    assert_eq!(found.len(), 1, "{name}: {found:?}");
    found[0].1.clone()
}

/// The words of an instruction in its JSON form.
fn words(text: &str) -> Vec<String> {
    let start = text.find('[').expect("the form that needs no shell");
    serde_json::from_str(&text[start..]).expect("JSON")
}

/// A folder with what the image has of files that the program can meet: itself and the libraries that it is linked to.
struct Image {
    folder: TempDir,
    /// A folder of this machine and where in the image it is mounted.
    mount: (PathBuf, String),
}

impl Image {
    /// With an empty volume.
    fn new() -> Self {
        let folder = tempdir().expect("a folder");
        let volume = folder.path().join("volume");
        fs::create_dir(&volume).expect("the volume");
        fs::set_permissions(&volume, fs::Permissions::from_mode(0o700)).expect("for its owner alone");
        if is_root() {
            let owned = run(Command::new("chown").arg(said("USER")).arg(&volume));
            assert!(owned.status.success(), "{owned:?}");
        }
        Self::lay_out(folder, (volume, said("VOLUME")))
    }

    fn lay_out(folder: TempDir, mount: (PathBuf, String)) -> Self {
        let image = Self { folder, mount };
        let program = Path::new(env!("CARGO_BIN_EXE_hiloop"));
        let place = image.at(&Self::program());
        fs::create_dir_all(place.parent().expect("a folder")).expect("its folder");
        fs::copy(program, &place).expect("the program");
        let linked = run(Command::new("ldd").arg(program));
        assert!(linked.status.success(), "{linked:?}");
        for library in out(&linked).split_whitespace().filter(|word| word.starts_with('/')) {
            let name = Path::new(library).file_name().expect("a name").to_string_lossy().into_owned();
            let known = ["libc.so.6", "libm.so.6", "libgcc_s.so.1", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"];
            assert!(known.contains(&name.as_str()), "{name} is not in the image that the Dockerfile begins with");
            let place = image.at(library);
            fs::create_dir_all(place.parent().expect("a folder")).expect("its folder");
            fs::copy(library, place).expect("the library");
        }
        for folder in ["proc", "tmp", said("VOLUME").as_str()] {
            fs::create_dir_all(image.at(folder)).expect("a folder");
        }
        image
    }

    /// Where the program is, as the last stage copies it.
    fn program() -> String {
        let copied = image().into_iter().find(|(name, rest)| *name == "COPY" && rest.contains("/hiloop /"));
        let (_, copy) = copied.expect("the program is copied");
        format!("{}hiloop", copy.split_whitespace().last().expect("a place"))
    }

    /// A path of the image, from outside.
    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join("root").join(path.trim_start_matches('/'))
    }

    /// A command in a container of the image: with its environment and nothing else, as its user, in mounts of its own.
    /// The folder becomes `/` and is read-only but for what is mounted. The process keeps the id of the child.
    fn command(&self, words: &[String], settings: &[(&str, &str)]) -> Command {
        assert_eq!(words[0], "hiloop");
        let mut command = Command::new("unshare");
        command.args(if is_root() { &["--mount"][..] } else { &["--map-root-user", "--mount"] });
        // Without root, the user namespace maps the caller to root, without further privileges.
        let user = if is_root() { said("USER") } else { String::new() };
        let script = r#"
            set -e
            root=$1 user=$4
            mount --bind "$root" "$root"
            mount --rbind /proc "$root/proc"
            mount -o remount,bind,ro "$root"
            mount --bind "$2" "$root$3"
            shift 4
            exec chroot ${user:+"--userspec=$user"} "$root" "$@"
        "#;
        let (outside, inside) = &self.mount;
        command.args(["sh", "-c", script, "sh"]).arg(self.at("")).arg(outside).arg(inside).arg(user);
        command.arg(Self::program()).args(&words[1..]).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        let given = image().into_iter().filter(|(name, _)| *name == "ENV");
        let given =
            given.filter_map(|(_, rest)| rest.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned())));
        command.envs(given).envs(settings.iter().copied());
        command
    }

    fn serve(&self, settings: &[(&str, &str)]) -> Process {
        let all = [words(&said("ENTRYPOINT")), words(&said("CMD"))].concat();
        Process::spawn(&mut self.command(&all, settings))
    }
}

fn status(process: &Process, field: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{}/status", process.pid())).expect("a process");
    status.lines().find_map(|line| line.strip_prefix(field)).expect("a field").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_image_runs_as_a_user_with_write_access_to_the_volume_only() {
    let image = Image::new();
    let port = Port::reserve();
    let listen = port.address();
    // `chroot` begins in `/`, the image in its volume: there the hub creates its store by default.
    let store = format!("sqlite://{}/hiloop-data/hiloop.db", said("WORKDIR"));
    let settings = [("HILOOP_LISTEN", listen.as_str()), ("DATABASE_URL", store.as_str())];
    let health = words(&said("HEALTHCHECK"));
    let healthy = |more: &[&str]| {
        let words: Vec<_> = health.iter().cloned().chain(more.iter().map(|&word| word.to_owned())).collect();
        tokio::task::block_in_place(|| run(&mut image.command(&words, &settings)))
    };
    failed(&healthy(&[]), "/readyz: ");

    let mut hub = image.serve(&settings);
    if is_root() {
        assert!(status(&hub, "Uid:").split_whitespace().all(|id| id == "10001"), "{}", status(&hub, "Uid:"));
        assert_eq!(status(&hub, "Groups:").trim(), "", "no group of root's");
    }
    let ready = healthy(&[]);
    assert!(ready.status.success(), "{ready:?}");
    let ready: Value = serde_json::from_str(out(&ready)).expect("what /readyz says");
    assert_eq!(ready["status"], "ok");
    assert!(healthy(&["--live"]).status.success());
    let written = fs::write(format!("/proc/{}/root/file", hub.pid()), "");
    assert!(written.is_err(), "the root folder is read-only, to root too");

    // The store is in the volume, for its owner alone, and the next container finds it there.
    let owner = hub.owner();
    let session = owner.post("/v1/agent/sessions", json!({ "title": "kept" })).await.expect(201);
    let key = hub.output.split_whitespace().last().expect("a key").to_owned();
    let file = image.folder.path().join("volume/hiloop-data/hiloop.db");
    assert_eq!(fs::metadata(&file).expect("the store").permissions().mode() & 0o777, 0o600);
    assert_eq!(said("STOPSIGNAL"), "SIGTERM");
    assert_eq!(tokio::task::block_in_place(|| hub.terminate()), Some(0));
    failed(&healthy(&[]), "/readyz: ");
    let mut hub = image.serve(&settings);
    let found = Client::anonymous(&hub.base).with("x-api-key", &key).get(&at_agent(text(&session["id"]), "")).await;
    assert_eq!(found.expect(200)["title"], "kept");
    assert_eq!(tokio::task::block_in_place(|| hub.terminate()), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_postgres_the_container_writes_no_files() {
    // PostgreSQL's socket, in a folder outside the hub's volume.
    let (url, sockets) = tokio::task::block_in_place(|| {
        let url = postgres::new_database();
        let (url, sockets) = url.split_once("?host=").expect("the folder of its socket");
        (format!("{url}?host=/tmp"), PathBuf::from(sockets))
    });
    let image = Image::lay_out(tempdir().expect("a folder"), (sockets, "/tmp".to_owned()));
    let settings = [("HILOOP_LISTEN", "127.0.0.1:0"), ("DATABASE_URL", url.as_str())];
    let mut hub = tokio::task::block_in_place(|| image.serve(&settings));
    hub.owner().post("/v1/agent/sessions", json!({ "title": "kept" })).await.expect(201);
    assert_eq!(tokio::task::block_in_place(|| hub.terminate()), Some(0));
}

#[test]
fn a_health_check_of_a_stopped_hub_fails_with_one_line() {
    let folder = tempdir().expect("a folder");
    let port = Port::reserve();
    let check =
        |settings: &[(&str, &str)]| run(hiloop(folder.path()).arg("healthcheck").envs(settings.iter().copied()));
    failed(&check(&[("HILOOP_LISTEN", &port.address())]), &format!("http://{}/readyz: ", port.address()));
    failed(&check(&[("HILOOP_LISTEN", "127.0.0.1:0")]), "HILOOP_LISTEN: ");
    failed(&check(&[("HILOOP_METRICS_LISTEN", "nowhere")]), "HILOOP_METRICS_LISTEN: ");
}

#[test]
fn a_health_check_uses_the_metrics_port_if_configured() {
    let folder = tempdir().expect("a folder");
    let port = Port::reserve();
    let address = port.address();
    let hub = Process::spawn(
        hiloop(folder.path()).env("HILOOP_LISTEN", "127.0.0.1:0").env("HILOOP_METRICS_LISTEN", &address),
    );
    assert!(hub.metrics().contains(&address));
    // With the hub's own settings, as a container has them.
    let ready = run(hiloop(folder.path()).arg("healthcheck").env("HILOOP_METRICS_LISTEN", &address));
    assert!(ready.status.success(), "{ready:?}");
}

#[test]
fn secrets_are_read_from_files_and_not_logged() {
    let folder = tempdir().expect("a folder");
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        fs::write(&path, content).expect("a file");
        path
    };
    let url = format!("sqlite://{}/elsewhere/hub.db", folder.path().display());
    let secret = "s3cr3t-".repeat(6);
    let start = || {
        let mut command = hiloop(folder.path());
        command
            .env_remove("DATABASE_URL")
            .env("DATABASE_URL_FILE", file("database", &format!("{url}\n")))
            .env("HILOOP_JWT_SECRET_FILE", file("jwt", &format!("{secret}\n")))
            .env("HILOOP_LISTEN", "127.0.0.1:0");
        command
    };
    let hub = Process::spawn(&mut start());
    assert!(folder.path().join("elsewhere/hub.db").exists(), "the store that the file names");
    assert!(!hub.output.contains(&secret));
    drop(hub);
    // Commands beside the hub read the same files.
    let key = run(start().args(["keys", "create"]));
    assert!(key.status.success(), "{key:?}");
    failed(&run(start().env("DATABASE_URL", "postgres://localhost/hub")), "DATABASE_URL_FILE: must not be set");
    failed(&run(start().env("HILOOP_JWT_SECRET", "x".repeat(32))), "HILOOP_JWT_SECRET_FILE: must not be set");
    failed(&run(start().env("REDIS_URL_FILE", file("redis", "nonsense"))), "REDIS_URL: ");
    // A missing or empty file must not start the hub on the default store.
    failed(&run(start().env("DATABASE_URL_FILE", folder.path().join("none"))), "DATABASE_URL_FILE: cannot read");
    let empty = run(start().env("DATABASE_URL_FILE", file("empty", "\n")));
    failed(&empty, "DATABASE_URL_FILE: ");
    assert!(!err(&empty).contains(&secret));
}

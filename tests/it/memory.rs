//! The memory that requests may cost, measured at the process.

use crate::support::hub::text;
use crate::support::process::{Process, hiloop};
use crate::support::{Client, PATIENCE, eventually, timeout};
use futures::future::join_all;
use serde_json::json;
use std::fs;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const MIB: usize = 1 << 20;

struct Measured {
    hub: Process,
    _folder: TempDir,
}

impl Measured {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let hub = Process::spawn(hiloop(folder.path()).env("HILOOP_LISTEN", "127.0.0.1:0"));
        Self { hub, _folder: folder }
    }

    /// A field of the process's status, in bytes.
    fn status(&self, field: &str) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.hub.pid())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix(field)).expect("a line");
        line.trim_start_matches(':').trim().trim_end_matches(" kB").parse::<usize>().expect("a number") << 10
    }

    /// Allocated memory in bytes, without the file-backed pages of the program.
    fn allocated(&self) -> usize {
        self.status("RssAnon")
    }

    /// The memory in use now; resets the peak.
    fn begin(&self) -> usize {
        fs::write(format!("/proc/{}/clear_refs", self.hub.pid()), "5").expect("the peak is forgotten");
        self.status("VmRSS")
    }

    /// The peak growth since then.
    fn risen(&self, before: usize) -> usize {
        self.status("VmHWM").saturating_sub(before)
    }
}

/// A person who has signed in, and an agent to talk to.
async fn person(hub: &Process) -> Client {
    let owner = hub.owner();
    owner.post("/v1/manage/agents", json!({ "name": "bot" })).await.expect(201);
    let human = json!({ "email": "ann@example.org", "name": "Ann", "password": "correct horse battery" });
    owner.post("/v1/manage/humans", human).await.expect(201);
    let anonymous = Client::anonymous(&hub.base);
    let login = json!({ "email": "ann@example.org", "password": "correct horse battery" });
    let tokens = anonymous.post("/v1/auth/login", login).await.expect(200);
    anonymous.with("authorization", &format!("Bearer {}", text(&tokens["accessToken"])))
}

/// JSON of a MiB in which every other byte would be a value.
fn dense(around: impl Fn(&str) -> String, piece: &str) -> Vec<u8> {
    let room = MIB - around("").len() - 2;
    around(format!("{piece},").repeat(room / (piece.len() + 1)).trim_end_matches(',')).into_bytes()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_bodies_of_one_person_are_bounded_by_their_memory_share() {
    let measured = Measured::start();
    let ann = person(&measured.hub).await;
    let named: Vec<String> = (0..999).map(|number| format!(r#"{{"type":"Agent","name":"nobody-{number}"}}"#)).collect();
    let named = named.join(",");
    let in_metadata = dense(|json| format!(r#"{{"participants":[{named}],"metadata":{{"a":[{json}]}}}}"#), r#"{"":0}"#);
    let in_keys = dense(|json| format!(r#"{{"participants":[{named}],"metadata":{{{json}}}}}"#), r#""":0"#);
    let in_names = dense(|json| format!(r#"{{"participants":[{json}]}}"#), r#"{"type":"Agent"}"#);
    let in_envelope = dense(|json| format!(r#"{{"participants":[{named}],"encryptedTitle":{{"a":[{json}]}}}}"#), "{}");
    // Warm-up: one request of each kind.
    for body in [&in_metadata, &in_keys, &in_names, &in_envelope] {
        let reply = ann.raw("POST", "/v1/human/sessions", Some("application/json"), body.clone()).await;
        assert!([400, 413].contains(&reply.status), "{}", reply.body);
    }
    for body in [in_metadata, in_keys, in_names, in_envelope] {
        let before = measured.begin();
        let storm =
            join_all((0..24).map(|_| ann.raw("POST", "/v1/human/sessions", Some("application/json"), body.clone())));
        let owner = measured.hub.owner();
        let others = async {
            for _ in 0..10 {
                owner.get("/v1/agent/me").await.expect(200);
            }
        };
        let (replies, ()) = tokio::join!(storm, others);
        for reply in replies {
            assert!([400, 413, 503].contains(&reply.status), "{}", reply.body);
        }
        let risen = measured.risen(before);
        assert!(risen < 64 * MIB, "{} MiB for {:?}…", risen / MIB, String::from_utf8_lossy(&body[body.len() - 40..]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_is_returned_after_a_burst() {
    let measured = Measured::start();
    let owner = measured.hub.owner();
    // Hashing the password of the first human needed 19 MiB.
    let little = async || (measured.allocated() < 40 * MIB).then(|| measured.allocated());
    let before = eventually("the start to be over", little).await;
    let body = dense(|json| format!(r#"{{"metadata":{{"a":[{json}]}}}}"#), r#"{"":0}"#);
    for _ in 0..20 {
        let send = || owner.raw("POST", "/v1/agent/sessions", Some("application/json"), body.clone());
        for reply in join_all((0..24).map(|_| send())).await {
            assert!([400, 503].contains(&reply.status), "{}", reply.body);
        }
    }
    println!("{} MiB before, {} MiB after the burst", before / MIB, measured.allocated() / MIB);
    let back = async || (measured.allocated() < before + 24 * MIB).then_some(());
    eventually("the memory to come back", back).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unauthenticated_bodies_use_little_memory() {
    let measured = Measured::start();
    person(&measured.hub).await;
    let before = measured.begin();
    let mut streams = Vec::new();
    for number in 0..60 {
        let mut stream = TcpStream::connect(measured.hub.address()).await.expect("a connection");
        // With and without `Content-Length`.
        let length =
            if number % 2 == 0 { format!("Content-Length: {MIB}") } else { "Transfer-Encoding: chunked".to_owned() };
        let head =
            format!("POST /v1/auth/login HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\n{length}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.expect("sent");
        if number % 2 == 1 {
            stream.write_all(format!("{MIB:x}\r\n").as_bytes()).await.expect("sent");
        }
        // The largest accepted body, without its end.
        let _ = stream.write_all(&vec![b' '; MIB - 1]).await;
        streams.push(stream);
    }
    for mut stream in streams {
        let mut received = vec![0; 12];
        timeout(PATIENCE, stream.read_exact(&mut received)).await.expect("in time").expect("a reply");
        assert_eq!(String::from_utf8_lossy(&received), "HTTP/1.1 413");
    }
    let risen = measured.risen(before);
    assert!(risen < 16 * MIB, "{} MiB", risen / MIB);
}

//! Two nodes behind nginx with the configuration in deploy/: TLS, and no event lost while the nodes are restarted in
//! turn.

use crate::support::hub::{at_agent, text};
use crate::support::process::{Process, hiloop};
use crate::support::socket::End;
use crate::support::{Client, Events, Port, Redis, Socket, eventually, postgres};
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::TempDir;

const CONFIGURATION: &str = include_str!("../../deploy/nginx.conf");

struct Nginx {
    child: Child,
    /// Where it answers without TLS, beside what the configuration says.
    base: String,
    tls: Port,
    redirect: Port,
    _plain: Port,
}

/// A self-signed certificate and its key, at the paths of the configuration.
fn make_certificate(folder: &Path) {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"])
        .args(["-subj", "/CN=hub.example.org", "-keyout", "hub.key", "-out", "hub.crt"])
        .current_dir(folder)
        .output()
        .expect("openssl is installed (scripts/setup.sh test)");
    assert!(made.status.success(), "{made:?}");
}

impl Nginx {
    /// The configuration as it stands, but for its addresses and certificate, one more listener without TLS, and folders
    /// of its own.
    async fn start(folder: &Path, nodes: [&str; 2]) -> Self {
        make_certificate(folder);
        let [plain, tls, redirect] = std::array::from_fn(|_| Port::reserve());
        let mut text = String::new();
        for line in CONFIGURATION.lines() {
            let line = match line.trim() {
                "listen 443 ssl;" => format!("listen {} ssl; listen {};", tls.address(), plain.address()),
                "listen 80;" => format!("listen {};", redirect.address()),
                "http {" => {
                    let of = |name: &str| format!("{name}_temp_path {}/{name};", folder.display());
                    let own = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(of).join(" ");
                    format!("http {{ access_log off; {own}")
                }
                _ => line
                    .replace("127.0.0.1:8081", nodes[0])
                    .replace("127.0.0.1:8082", nodes[1])
                    .replace("/etc/nginx", &folder.display().to_string()),
            };
            text.push_str(&line);
            text.push('\n');
        }
        assert!(nodes.iter().all(|node| text.contains(node)), "both nodes stand in it");
        let file = folder.join("nginx.conf");
        std::fs::write(&file, text).expect("a file");
        let global = format!("daemon off; pid {0}/nginx.pid; error_log {0}/error.log;", folder.display());
        let program = if Path::new("/usr/sbin/nginx").exists() { "/usr/sbin/nginx" } else { "nginx" };
        let child = Command::new(program)
            .args(["-g", &global, "-c"])
            .arg(&file)
            .arg("-p")
            .arg(folder)
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx is installed (scripts/setup.sh test)");
        let nginx = Self { child, base: format!("http://{}", plain.address()), tls, redirect, _plain: plain };
        eventually("nginx passes requests on", async || {
            let reply = Client::anonymous(&nginx.base).try_raw("GET", "/livez", None, Vec::new()).await;
            reply.ok().filter(|reply| reply.status == 200).map(drop)
        })
        .await;
        nginx
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // SIGTERM, so that the workers end with it.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

fn node(folder: &Path, database: &str, redis: &Redis, listen: &str) -> Process {
    let mut command = hiloop(folder);
    command.env("DATABASE_URL", database).env("REDIS_URL", redis.url());
    Process::spawn(command.env("HILOOP_TRUSTED_PROXIES", "127.0.0.1").env("HILOOP_LISTEN", listen))
}

/// Reads a session until `last`, reconnecting on `goaway`; returns the number of reconnects.
async fn read(client: Client, session: String, last: Arc<AtomicBool>) -> (Vec<Value>, usize) {
    let (mut seen, mut returns) = (Vec::new(), 0);
    loop {
        // It may reconnect to the node that is restarted next.
        let Ok(mut socket) = Socket::reach(&client).await else { continue };
        socket.offer(json!({ "type": "subscribe", "id": 1, "sessionId": session, "after": seen.len() })).await;
        loop {
            match socket.next_or_end().await {
                Ok(mut frame) if frame["type"] == "event" => {
                    seen.push(frame["event"].take());
                    let event = &seen[seen.len() - 1];
                    assert_eq!(event["seq"], json!(seen.len()));
                    if event["type"] == "session.closed" {
                        assert!(last.load(Ordering::SeqCst));
                        return (seen, returns);
                    }
                }
                Ok(_) => {}
                Err(end) => {
                    assert_eq!(end, End::Code(1001), "goaway was received");
                    break;
                }
            }
        }
        returns += 1;
    }
}

/// What `openssl s_client` sees of one request over one version of TLS.
fn over_tls(nginx: &Nginx, version: &str) -> String {
    let mut client = Command::new("openssl")
        .args(["s_client", "-quiet", version, "-servername", "hub.example.org", "-connect", &nginx.tls.address()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl is installed (scripts/setup.sh test)");
    let request = b"GET / HTTP/1.1\r\nHost: hub.example.org\r\nConnection: close\r\n\r\n";
    // A refused connection accepts no input.
    let _ = client.stdin.as_mut().expect("its input").write_all(request);
    let output = client.wait_with_output().expect("it ends");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_proxy_accepts_only_tls_1_2_and_1_3() {
    let folder: TempDir = tempfile::tempdir().expect("a folder");
    let hub = Process::start(folder.path(), "127.0.0.1:0");
    let nginx = Nginx::start(folder.path(), [hub.address(), hub.address()]).await;
    tokio::task::block_in_place(|| {
        for version in ["-tls1_2", "-tls1_3"] {
            let reply = over_tls(&nginx, version);
            assert!(reply.starts_with("HTTP/1.1 200"), "{version}: {reply}");
            let head = reply.split("\r\n\r\n").next().expect("a head").to_lowercase();
            assert!(head.contains("strict-transport-security: max-age=31536000"), "{version}: {head}");
            assert!(head.contains("content-security-policy:"), "the hub's own headers come through: {head}");
        }
        assert!(!over_tls(&nginx, "-tls1_1").contains("HTTP/"), "TLS 1.1 is refused");
    });
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
    let plain = format!("http://{}/docs?x=1", nginx.redirect.address());
    let reply = client.get(plain).header("host", "elsewhere.example").send().await.expect("a reply");
    assert_eq!(reply.status(), 301);
    assert_eq!(reply.headers()["location"], "https://hub.example.org/docs?x=1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_behind_nginx_loses_no_event() {
    let (database, redis) = (postgres::new_database(), Redis::start().await);
    let folder: TempDir = tempfile::tempdir().expect("a folder");
    let ports = [Port::reserve(), Port::reserve()];
    let [first, second] = ports.each_ref().map(|port| node(folder.path(), &database, &redis, &port.address()));
    let nginx = Nginx::start(folder.path(), [first.address(), second.address()]).await;
    let client = Client { base: nginx.base.clone(), ..first.owner() };

    let session = client.post("/v1/agent/sessions", json!({})).await.expect(201);
    let session = text(&session["id"]).to_owned();
    // Event streams are not buffered, and metrics are not exposed.
    let mut stream = Events::open(&client, &at_agent(&session, "/events?after=0")).await;
    assert_eq!(stream.next().await.expect("an event")["type"], "session.created");
    assert_eq!(reqwest::get(format!("{}/metrics", nginx.base)).await.expect("a reply").status(), 404);

    let over = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> =
        (0..20).map(|_| tokio::spawn(read(client.clone(), session.clone(), Arc::clone(&over)))).collect();
    let writer = tokio::spawn({
        let (client, session, over) = (client.clone(), session.clone(), Arc::clone(&over));
        async move {
            let mut written = Vec::new();
            while !over.load(Ordering::SeqCst) {
                let client = client.with("idempotency-key", &format!("{}", written.len()));
                let body = json!({ "encryptedContent": written.len().to_string() }).to_string().into_bytes();
                let path = at_agent(&session, "/messages");
                let reply = client.try_raw("POST", &path, Some("application/json"), body).await;
                // A request without a reply, or with an error of the proxy, is retried with its key.
                if let Ok(reply) = reply
                    && reply.status == 201
                {
                    written.push(text(&reply.body["id"]).to_owned());
                }
            }
            written
        }
    });
    let mut renewed = Vec::new();
    for mut old in [first, second] {
        let address = old.address().to_owned();
        let code = tokio::task::block_in_place(|| old.terminate());
        assert_eq!(code, Some(0));
        let new = tokio::task::block_in_place(|| node(folder.path(), &database, &redis, &address));
        eventually("the new one is ready", async || {
            let reply = Client::anonymous(&new.base).try_raw("GET", "/readyz", None, Vec::new()).await;
            reply.ok().filter(|reply| reply.status == 200).map(drop)
        })
        .await;
        renewed.push(new);
    }
    over.store(true, Ordering::SeqCst);
    let written = writer.await.expect("no panic");
    // nginx may still consider a node unavailable for a moment.
    eventually("the session is closed", async || {
        let reply = client.post(&at_agent(&session, "/close"), json!({})).await;
        (reply.status == 200).then_some(())
    })
    .await;
    let mut returns = 0;
    for reader in readers {
        let (seen, returned) = reader.await.expect("no panic");
        let posted: Vec<_> = seen.iter().filter(|event| event["type"] == "message.created").collect();
        let ids: Vec<_> = posted.iter().map(|event| text(&event["data"]["message"]["id"]).to_owned()).collect();
        assert_eq!(ids, written, "each once, in order");
        returns += returned;
    }
    assert!(returns >= 20, "both nodes sent goaway to their sockets: {returns}");
    println!("{} messages, {returns} returns", written.len());
}

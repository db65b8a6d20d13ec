//! A client of the protocol: JSON-RPC over the standard streams of the program.

use crate::support::PATIENCE;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

pub(super) struct McpClient {
    child: Child,
    input: Option<ChildStdin>,
    output: UnboundedReceiver<Value>,
    errors: Arc<Mutex<String>>,
    /// Replies that nothing waited for yet, and notifications.
    replies: Vec<Value>,
    pub(super) notifications: Vec<Value>,
    next: u64,
    /// What each request of the life cycle without a greeting carries.
    meta: Option<Value>,
}

impl McpClient {
    pub(super) fn start(command: &mut Command) -> Self {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program runs");
        let (sender, output) = unbounded_channel();
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                // Whatever is no message of the protocol ends the test.
                let message =
                    serde_json::from_str(&line).unwrap_or_else(|error| json!({ "bad": format!("{error}: {line}") }));
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let errors = Arc::new(Mutex::new(String::new()));
        let (kept, mut stream) = (Arc::clone(&errors), child.stderr.take().expect("its errors"));
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = stream.read(&mut buffer) {
                kept.lock().expect("no panic").push_str(&String::from_utf8_lossy(&buffer[..read]));
            }
        });
        let input = child.stdin.take();
        Self { child, input, output, errors, replies: vec![], notifications: vec![], next: 1, meta: None }
    }

    pub(super) fn send(&mut self, message: &Value) {
        let input = self.input.as_mut().expect("its input");
        input.write_all(format!("{message}\n").as_bytes()).expect("it reads");
    }

    /// Sends a request; its id.
    pub(super) fn request(&mut self, method: &str, mut params: Value) -> u64 {
        let id = self.next;
        self.next += 1;
        if let Some(meta) = &self.meta {
            let own = params["_meta"].as_object().cloned().unwrap_or_default();
            params["_meta"] = meta.clone();
            params["_meta"].as_object_mut().expect("an object").extend(own);
        }
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        id
    }

    /// The reply to a request.
    pub(super) async fn reply(&mut self, id: u64) -> Value {
        loop {
            if let Some(place) = self.replies.iter().position(|reply| reply["id"] == id) {
                return self.replies.remove(place);
            }
            self.read().await;
        }
    }

    /// The next notification that was not taken yet.
    pub(super) async fn notification(&mut self) -> Value {
        while self.notifications.is_empty() {
            self.read().await;
        }
        self.notifications.remove(0)
    }

    async fn read(&mut self) {
        let message = tokio::time::timeout(PATIENCE * 2, self.output.recv()).await;
        let message = message.unwrap_or_else(|_| panic!("no message: {}", self.errors()));
        let message = message.unwrap_or_else(|| panic!("it ended: {}", self.errors()));
        assert_eq!(message["jsonrpc"], "2.0", "{message}");
        if message.get("method").is_some() { &mut self.notifications } else { &mut self.replies }.push(message);
    }

    pub(super) fn errors(&self) -> String {
        self.errors.lock().expect("no panic").clone()
    }

    /// The handshake of versions before 2026-07-28; what the server says.
    pub(super) async fn initialize(&mut self, version: &str) -> Value {
        let params = json!({ "protocolVersion": version, "capabilities": {}, "clientInfo": client_info() });
        let id = self.request("initialize", params);
        let reply = self.reply(id).await;
        self.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        reply["result"].clone()
    }

    /// The life cycle without a handshake: each request says the version and what the client can do.
    pub(super) fn without_handshake(&mut self, capabilities: &Value) {
        self.meta = Some(json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": client_info(),
            "io.modelcontextprotocol/clientCapabilities": capabilities,
        }));
    }

    pub(super) fn start_call(&mut self, tool: &str, arguments: &Value) -> u64 {
        self.request("tools/call", json!({ "name": tool, "arguments": arguments }))
    }

    /// The result of a tool.
    pub(super) async fn result(&mut self, id: u64) -> Value {
        let reply = self.reply(id).await;
        assert!(reply.get("error").is_none(), "{reply}");
        reply["result"].clone()
    }

    /// What a tool returns, which must not be an error.
    pub(super) async fn structured(&mut self, id: u64) -> Value {
        let result = self.result(id).await;
        assert_ne!(result["isError"], true, "{result}");
        assert!(result["content"][0]["text"].as_str().is_some_and(|text| !text.is_empty()), "{result}");
        result["structuredContent"].clone()
    }

    pub(super) async fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let id = self.start_call(tool, &arguments);
        self.structured(id).await
    }

    /// The text of the error that a tool returns.
    pub(super) async fn fails(&mut self, tool: &str, arguments: Value) -> String {
        let id = self.start_call(tool, &arguments);
        let result = self.result(id).await;
        assert_eq!(result["isError"], true, "{result}");
        assert!(result.get("structuredContent").is_none(), "{result}");
        result["content"][0]["text"].as_str().expect("a text").to_owned()
    }

    /// SIGKILL, as a machine that goes down.
    pub(super) fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// Closes its input; the exit code.
    pub(super) async fn end(mut self) -> Option<i32> {
        drop(self.input.take());
        crate::support::eventually("the end of the program", async || self.child.try_wait().expect("its state"))
            .await
            .code()
    }
}

fn client_info() -> Value {
    json!({ "name": "test", "version": "1.0" })
}

impl Drop for McpClient {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

//! A PgBouncer in front of a database of the tests' PostgreSQL, reached by a Unix socket. It ends with the test: a shell
//! holds it and waits for its standard input to close.

use super::eventually;
use super::postgres::{is_root, unprivileged};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

pub struct PgBouncer {
    shell: Child,
    folder: TempDir,
    database: String,
}

impl PgBouncer {
    /// In front of the database that `url` leads to, with `settings` of the section `pgbouncer`.
    pub async fn start(url: &str, settings: &str) -> Self {
        let (path, server) = url.split_once("?host=").expect("a Unix socket");
        let database = path.rsplit('/').next().expect("a name").to_owned();
        let folder = tempfile::tempdir().expect("a folder");
        let own = folder.path().display();
        let text = format!(
            "[databases]\n* = host={server} user=hub\n[pgbouncer]\nlisten_addr =\nlisten_port = 6432\n\
             unix_socket_dir = {own}\nauth_type = any\nlogfile = {own}/log\n{settings}\n"
        );
        std::fs::write(folder.path().join("pgbouncer.ini"), text).expect("a file");
        if is_root() {
            let owned = Command::new("chown").args(["-R", "nobody"]).arg(folder.path()).status().expect("chown runs");
            assert!(owned.success(), "chown to the user nobody succeeds");
        }
        let program = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"].into_iter().find(|path| Path::new(path).exists());
        let shell = unprivileged(Path::new("/bin/sh"))
            .args(["-c", "\"$0\" \"$@\" & server=$!; read -r word; kill -INT $server; wait $server"])
            .arg(program.expect("PgBouncer is installed (scripts/setup.sh test)"))
            .args(["-q", "pgbouncer.ini"])
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("PgBouncer starts");
        let socket = folder.path().join(".s.PGSQL.6432");
        eventually("PgBouncer listens", async || socket.exists().then_some(())).await;
        Self { shell, folder, database }
    }

    pub fn url(&self) -> String {
        format!("postgres://hub@localhost:6432/{}?host={}", self.database, self.folder.path().display())
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

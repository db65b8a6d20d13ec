//! Files that several processes share: each is created once and replaced as a whole.

use super::encoding::{labelled, random, sha256};
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;
use uuid::Uuid;

/// What the names of temporary files end with.
const TEMPORARY: &str = "tmp";
/// A lock that is older was left behind.
const STALE_LOCK: Duration = Duration::from_secs(120);
/// A temporary file that is older was left behind.
const LEFT_BEHIND: Duration = Duration::from_secs(10 * 60);

/// `$XDG_CONFIG_HOME/hiloop`, or `~/.config/hiloop`.
pub(crate) fn settings_folder() -> Option<PathBuf> {
    let path = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    Some(path("XDG_CONFIG_HOME").or_else(|| Some(path("HOME")?.join(".config")))?.join("hiloop"))
}

/// What names the files of a principal of a hub.
pub(crate) fn file_name(hub: &str, principal: Uuid) -> String {
    let parts = [hub.as_bytes(), b"\0", principal.to_string().as_bytes()].concat();
    hex(&sha256(labelled("hiloop key file", &[&parts]))[..16])
}

/// Hexadecimal digits, in lower case.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Creates a file unless it exists already; whether it was created. Of several processes one creates it.
pub(crate) fn create(path: &Path, content: &[u8]) -> io::Result<bool> {
    let temporary = write_beside(path, content)?;
    let linked = fs::hard_link(&temporary, path);
    fs::remove_file(&temporary)?;
    match linked {
        Ok(()) => sync_folder(path).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// Replaces a file as a whole.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = write_beside(path, content)?;
    fs::rename(&temporary, path)?;
    sync_folder(path)
}

/// Whether files can be made in a folder, which is made itself.
pub(crate) fn is_writable(folder: &Path) -> bool {
    write_beside(&folder.join("probe"), b"").and_then(fs::remove_file).is_ok()
}

/// Whether a file can be read by other users of the machine.
pub(crate) fn is_readable_by_others(path: &Path) -> bool {
    #[cfg(unix)]
    return fs::metadata(path)
        .is_ok_and(|file| std::os::unix::fs::PermissionsExt::mode(&file.permissions()) & 0o077 != 0);
    #[cfg(not(unix))]
    return false;
}

/// A lock that all clients of this machine share, of whatever language: a file that one process at a time can create.
/// It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Lock(PathBuf);

/// Takes a lock, unless another process holds it. One of a process that was killed ends after two minutes.
pub(crate) fn try_lock(path: &Path) -> io::Result<Option<Lock>> {
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(_) => Ok(Some(Lock(path.to_owned()))),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let age = fs::metadata(path).and_then(|file| file.modified()).map(|time| time.elapsed());
            if matches!(age, Ok(Ok(age)) if age > STALE_LOCK) {
                let _ = fs::remove_file(path);
            }
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Removes temporary files that a process left behind that was killed while it wrote.
pub(crate) fn sweep(folder: &Path) {
    let is_left_behind = |entry: &fs::DirEntry| {
        let age = entry.metadata().and_then(|file| file.modified()).map(|time| time.elapsed());
        entry.path().extension().is_some_and(|end| end == TEMPORARY) && matches!(age, Ok(Ok(age)) if age > LEFT_BEHIND)
    };
    for entry in fs::read_dir(folder).into_iter().flatten().flatten().filter(is_left_behind) {
        let _ = fs::remove_file(entry.path());
    }
}

/// Writes a file of another name into the same folder, which it makes.
fn write_beside(path: &Path, content: &[u8]) -> io::Result<PathBuf> {
    make_folder(path.parent().unwrap_or(Path::new(".")))?;
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.{}.{TEMPORARY}", std::process::id(), hex(&random::<8>())));
    let temporary = PathBuf::from(name);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&temporary)?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written.map(|()| temporary)
}

/// Makes a folder, and those above it, that only this user may enter, whatever the umask.
fn make_folder(path: &Path) -> io::Result<()> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    make_folder(path.parent().unwrap_or(Path::new("")))?;
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(path) {
        #[cfg(unix)]
        Ok(()) => fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o700)),
        // Another process was first.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

fn sync_folder(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(())
}

/// The text of a file; `None` where there is none.
pub(crate) fn read(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn folders_are_private_and_so_are_files() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a/b/c.json");
        assert!(create(&path, b"{}").expect("it is written"));
        assert!(!create(&path, b"[]").expect("it is there"));
        let mode = |path: &Path| fs::metadata(path).expect("it exists").permissions().mode() & 0o777;
        assert_eq!((mode(&folder.path().join("a")), mode(path.parent().expect("a folder"))), (0o700, 0o700));
        assert!(!is_readable_by_others(&path));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("it is set");
        assert!(is_readable_by_others(&path));
    }

    #[test]
    fn what_was_left_behind_is_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        for name in ["old.json.1.00.tmp", "new.json.1.00.tmp", "old.json"] {
            fs::write(path(name), "").expect("it is written");
            if name.starts_with("old") {
                let file = File::options().write(true).open(path(name)).expect("it is there");
                file.set_modified(std::time::SystemTime::now() - LEFT_BEHIND * 2).expect("it is set");
            }
        }
        sweep(folder.path());
        let names = ["old.json.1.00.tmp", "new.json.1.00.tmp", "old.json"];
        assert_eq!(names.map(|name| path(name).exists()), [false, true, true]);
    }
}

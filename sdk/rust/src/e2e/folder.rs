//! Files that several processes share: each is created once and replaced as a whole.

use super::encoding::{labelled, random, sha256};
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use uuid::Uuid;

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

fn hex(bytes: &[u8]) -> String {
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

/// Writes a file of another name into the same folder, which it makes.
fn write_beside(path: &Path, content: &[u8]) -> io::Result<PathBuf> {
    make_folder(path.parent().unwrap_or(Path::new(".")))?;
    let temporary = path.with_extension(format!("{}.tmp", hex(&random::<8>())));
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

fn make_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
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

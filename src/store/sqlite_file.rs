//! Who may read the SQLite files: their owner alone. They hold the secret that tokens are signed with.

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// The files that SQLite makes beside the database file, with the rights that the database file has at that time.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Makes the folder of `file` and `file` itself where they are missing, for the owner alone, before SQLite would make
/// them for everyone. Takes the rights of others away from files that exist. A folder that exists is left as it is,
/// since it may hold other things; the log names one that others may enter.
pub fn prepare(file: &Path) -> io::Result<()> {
    if let Some(folder) = file.parent().filter(|folder| *folder != Path::new("")) {
        if folder.exists() {
            warn_of(folder);
        } else {
            let mut builder = DirBuilder::new();
            builder.recursive(true);
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            builder.create(folder)?;
        }
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(file) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        // What is wrong with the path is said by SQLite as it opens it.
        Err(_) | Ok(_) => return Ok(()),
    }
    tighten(file);
    for suffix in COMPANIONS {
        let mut name = file.as_os_str().to_owned();
        name.push(suffix);
        tighten(&PathBuf::from(name));
    }
    Ok(())
}

#[cfg(unix)]
fn tighten(file: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let Ok(metadata) = std::fs::metadata(file) else { return };
    let mode = metadata.permissions().mode();
    if !metadata.is_file() || mode & 0o077 == 0 {
        return;
    }
    let shown = file.display();
    match std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode & 0o700)) {
        Ok(()) => tracing::info!("other users could read {shown} (mode {:o}): now its owner alone may", mode & 0o777),
        Err(error) => tracing::warn!("other users can read {shown}, and its mode can't be changed: {error}"),
    }
}

#[cfg(unix)]
fn warn_of(folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let Ok(metadata) = std::fs::metadata(folder) else { return };
    let mode = metadata.permissions().mode() & 0o7777;
    let shown = folder.display();
    // In a sticky one, such as /tmp, others can't replace what is not theirs.
    if mode & 0o022 != 0 && mode & 0o1000 == 0 {
        tracing::warn!(
            "other users may replace files in {shown}, the folder of the database (mode {mode:o}): chmod 700 it"
        );
    } else if mode & 0o077 != 0 {
        tracing::info!("other users may enter {shown}, the folder of the database (mode {mode:o}): chmod 700 it");
    }
}

#[cfg(not(unix))]
fn tighten(_: &Path) {}

#[cfg(not(unix))]
fn warn_of(_: &Path) {}

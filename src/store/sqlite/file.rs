//! Access to the SQLite files, which hold the secret that signs tokens: for their owner only.

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// The files that SQLite creates beside the database file, with the mode of the database file.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Creates `file` and its folder if they are missing, accessible to the owner only; SQLite would create them with the
/// default mode. Removes the access of other users from existing files. An existing folder is left as it is, since it may
/// hold other files; a warning is logged if other users have access.
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
        // SQLite reports errors of the path when it opens the file.
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
        Ok(()) => tracing::info!("removed access of other users to {shown} (mode was {:o})", mode & 0o777),
        Err(error) => tracing::warn!("other users can read {shown}, and its mode cannot be changed: {error}"),
    }
}

#[cfg(unix)]
fn warn_of(folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let Ok(metadata) = std::fs::metadata(folder) else { return };
    let mode = metadata.permissions().mode() & 0o7777;
    let shown = folder.display();
    // In a folder with the sticky bit, such as /tmp, users can't replace files of others.
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

//! Secrets in files, as container platforms provide them.

use super::{ConfigError, bad};
use std::fs::File;
use std::io::{self, Read as _};

/// Longest secret, in bytes.
const MAX_SECRET: u64 = 64 * 1024;

/// A secret setting: its own value, or the content of the file that another setting names.
pub(super) fn secret(
    setting: &'static str,
    value: Option<String>,
    file_setting: &'static str,
    file: Option<String>,
) -> Result<Option<String>, ConfigError> {
    match (value, file) {
        (Some(_), Some(_)) => Err(bad(file_setting, format!("must not be set if {setting} is"))),
        (value, None) => Ok(value),
        (None, Some(path)) => {
            let text = read(&path).map_err(|error| bad(file_setting, format!("cannot read {path}: {error}")))?;
            // Editors and `echo` end a file with a line break.
            let text = text.trim_end_matches(['\r', '\n']);
            // An empty file must not count as unset: the hub would start with another database.
            if text.is_empty() { Err(bad(file_setting, format!("{path} is empty"))) } else { Ok(Some(text.to_owned())) }
        }
    }
}

fn read(path: &str) -> io::Result<String> {
    let mut text = String::new();
    if File::open(path)?.take(MAX_SECRET + 1).read_to_string(&mut text)? as u64 > MAX_SECRET {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it has more than {MAX_SECRET} bytes")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::tempdir;

    #[test]
    fn a_secret_comes_from_its_setting_or_from_a_file_but_not_from_both() {
        let folder = tempdir().expect("a folder");
        let file = |name: &str, content: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, content).expect("a file");
            Some(path.display().to_string())
        };
        let find = |value: Option<&str>, file| secret("X", value.map(str::to_owned), "X_FILE", file);
        assert_eq!(find(None, None).expect("valid"), None);
        assert_eq!(find(Some("here"), None).expect("valid").as_deref(), Some("here"));
        assert_eq!(find(None, file("good", b" there \r\n")).expect("valid").as_deref(), Some(" there "));
        let problem = |value, file| find(value, file).expect_err("refused").to_string();
        assert_eq!(problem(Some("here"), file("good", b"there")), "X_FILE: must not be set if X is");
        assert!(problem(None, file("empty", b"\n")).ends_with("is empty"));
        assert!(problem(None, file("long", &[b'a'; 64 * 1024 + 1])).contains("more than"));
        assert!(
            problem(None, Some(folder.path().join("none").display().to_string())).starts_with("X_FILE: cannot read")
        );
        let binary = problem(None, file("binary", b"s3cr3t\xff"));
        assert!(binary.starts_with("X_FILE: cannot read") && !binary.contains("s3cr3t"), "{binary}");
    }
}

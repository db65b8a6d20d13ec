//! Puts the built chat page where the program embeds it from; without one, a page that says how to build it.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

const PLACEHOLDER: &str = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Hiloop Hub</title>
<h1>Hiloop Hub is running</h1>
<p>This program was built without its chat page. To build both (it needs Node.js):</p>
<pre>make build</pre>
<p>The API is there all the same, under <code>/v1</code>.</p>
</html>
"#;

fn main() -> io::Result<()> {
    let built = Path::new("web-demo/dist");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=migrations");
    // Watched even before it is built (a path that is missing would make cargo run this every time).
    fs::create_dir_all(built)?;
    println!("cargo::rerun-if-changed={}", built.display());
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?).join("web");
    if out.exists() {
        fs::remove_dir_all(&out)?;
    }
    fs::create_dir_all(&out)?;
    if built.join("index.html").exists() { copy(built, &out) } else { fs::write(out.join("index.html"), PLACEHOLDER) }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

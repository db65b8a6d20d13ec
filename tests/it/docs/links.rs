//! References of the documents: files and anchors, targets of make, source files.

use super::markdown::{Document, root};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// The path without `..` in it.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => assert!(normal.pop(), "{} points outside the repository", path.display()),
            part => normal.push(part),
        }
    }
    normal
}

/// The targets of a document's links and images.
fn targets(document: &Document) -> impl Iterator<Item = (usize, &str)> {
    document.prose().flat_map(|(number, line)| {
        line.split("](").skip(1).filter_map(move |rest| Some((number, rest.split_once(')')?.0)))
    })
}

#[test]
fn every_link_and_anchor_resolves() {
    let mut broken = Vec::new();
    for document in Document::all() {
        for (line, target) in targets(&document) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (file, anchor) = target.split_once('#').map_or((target, None), |(file, anchor)| (file, Some(anchor)));
            let folder = document.path.parent().unwrap_or(Path::new(""));
            let path = if file.is_empty() { document.path.clone() } else { normal(&folder.join(file)) };
            let is_there = root().join(&path).exists();
            if !is_there || anchor.is_some_and(|anchor| !Document::read(&*path).anchors().iter().any(|a| a == anchor)) {
                broken.push(format!("{}:{line}: {target}", document.path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn every_document_is_linked_from_the_readme() {
    let mut reached = BTreeSet::from([PathBuf::from("README.md")]);
    let mut queue = vec![PathBuf::from("README.md")];
    while let Some(path) = queue.pop() {
        let document = Document::read(&*path);
        for (_, target) in targets(&document) {
            let file = target.split('#').next().unwrap_or_default();
            if !target.contains("://") && Path::new(file).extension().is_some_and(|extension| extension == "md") {
                let next = normal(&path.parent().unwrap_or(Path::new("")).join(file));
                if reached.insert(next.clone()) {
                    queue.push(next);
                }
            }
        }
    }
    let lost: Vec<_> = Document::all().into_iter().map(|one| one.path).filter(|path| !reached.contains(path)).collect();
    assert!(lost.is_empty(), "{lost:?}");
}

#[test]
fn every_target_of_make_exists() {
    let makefile = fs::read_to_string(root().join("Makefile")).expect("a Makefile");
    let rules: BTreeSet<&str> = makefile.lines().filter_map(|line| Some(line.split_once(':')?.0)).collect();
    for document in Document::all() {
        let blocks = document.blocks();
        let commands = blocks.iter().filter(|block| block.language() == "sh").flat_map(|block| block.text.lines());
        for command in document.code().map(|(_, code)| code).chain(commands) {
            if let Some(target) = command.strip_prefix("make ").and_then(|rest| rest.split(' ').next()) {
                assert!(rules.contains(target), "{}: make {target}", document.path.display());
            }
        }
    }
}

/// Every file under `src` and `tests`, as `/src/http/router.rs`.
fn sources(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(root().join(folder)).expect("a folder") {
        let entry = entry.expect("an entry");
        let path = folder.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            sources(&path, found);
        } else {
            found.push(format!("/{}", path.display()));
        }
    }
}

#[test]
fn every_referenced_source_file_exists() {
    let mut files = Vec::new();
    for folder in ["src", "tests", "sdk/rust", "loadtest"] {
        sources(Path::new(folder), &mut files);
    }
    files.push("/build.rs".to_owned());
    let mut lost = Vec::new();
    for document in Document::all().iter().filter(|document| !document.path.starts_with("web-demo")) {
        for (line, code) in document.code() {
            let name = code.split("::").next().unwrap_or_default();
            if name.ends_with(".rs")
                && !name.contains(' ')
                && !files.iter().any(|file| file.ends_with(&format!("/{name}")))
            {
                lost.push(format!("{}:{line}: {name}", document.path.display()));
            }
        }
    }
    assert!(lost.is_empty(), "{lost:#?}");
}

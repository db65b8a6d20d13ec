//! Parses the documents of the repository.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

pub(super) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub(super) struct Document {
    /// Relative to the repository.
    pub path: PathBuf,
    pub text: String,
}

/// A fenced block.
pub(super) struct Block {
    /// The info string: the language, and instructions for these tests.
    pub info: String,
    pub text: String,
    pub line: usize,
}

impl Block {
    /// Whether the info string has a word after the language.
    pub fn is(&self, word: &str) -> bool {
        self.info.split(' ').skip(1).any(|other| other == word)
    }

    pub fn language(&self) -> &str {
        self.info.split(' ').next().unwrap_or_default()
    }

    /// The value of `name=value` in the info string.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.info.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    }
}

impl Document {
    pub fn read(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let text = fs::read_to_string(root().join(&path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { path, text }
    }

    /// Every document of the repository.
    pub fn all() -> Vec<Self> {
        let mut found = Vec::new();
        for (folder, deep) in [
            ("", false),
            ("docs", true),
            ("deploy", true),
            ("loadtest", false),
            ("sdk/rust", false),
            ("sdk/typescript", false),
            ("tests", false),
            ("web-demo", false),
        ] {
            find(Path::new(folder), deep, &mut found);
        }
        assert!(found.len() > 20, "{found:?}");
        found.into_iter().map(Self::read).collect()
    }

    pub fn blocks(&self) -> Vec<Block> {
        let mut blocks: Vec<Block> = Vec::new();
        let mut open = false;
        for (number, line) in self.text.lines().enumerate() {
            match line.trim_start().strip_prefix("```") {
                Some(_) if open => open = false,
                Some(info) => {
                    open = true;
                    blocks.push(Block { info: info.to_owned(), text: String::new(), line: number + 1 });
                }
                None if open => {
                    let text = &mut blocks.last_mut().expect("an open block").text;
                    text.push_str(line);
                    text.push('\n');
                }
                None => {}
            }
        }
        assert!(!open, "{}: a block has no end", self.path.display());
        blocks
    }

    /// The lines outside of blocks, with their numbers.
    pub fn prose(&self) -> impl Iterator<Item = (usize, &str)> {
        let mut open = false;
        self.text.lines().enumerate().filter_map(move |(number, line)| {
            let fence = line.trim_start().starts_with("```");
            open ^= fence;
            (!open && !fence).then_some((number + 1, line))
        })
    }

    /// The anchors of the headings, as GitHub generates them.
    pub fn anchors(&self) -> Vec<String> {
        let mut seen: HashMap<String, usize> = HashMap::new();
        let headings = self
            .prose()
            .filter_map(|(_, line)| line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#')));
        headings
            .map(|heading| {
                let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
                let anchor: String = kept.collect::<String>().to_lowercase().replace(' ', "-");
                let count = seen.entry(anchor.clone()).or_default();
                *count += 1;
                if *count == 1 { anchor } else { format!("{anchor}-{}", *count - 1) }
            })
            .collect()
    }

    /// The code spans outside of blocks.
    pub fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.prose().flat_map(|(number, line)| line.split('`').skip(1).step_by(2).map(move |code| (number, code)))
    }

    /// The cells of the rows of every table whose head begins so.
    pub fn rows(&self, head: &str) -> Vec<Vec<String>> {
        let mut rows = Vec::new();
        let mut inside = false;
        for (_, line) in self.prose() {
            inside = line.starts_with('|') && (inside || line.starts_with(head));
            if inside && !line.starts_with(head) && !line.starts_with("|--") {
                let line = line.replace("\\|", "¦");
                let cells = line.trim().trim_matches('|').split('|').map(|cell| cell.trim().replace('¦', "|"));
                rows.push(cells.collect());
            }
        }
        assert!(!rows.is_empty(), "{}: no table begins with {head}", self.path.display());
        rows
    }
}

fn find(folder: &Path, deep: bool, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(root().join(folder)).expect("a folder") {
        let entry = entry.expect("an entry");
        let path = folder.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            if deep {
                find(&path, deep, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

//! The lines that a demo prints about its progress.

use super::shortened::shortened;
use std::io::Write as _;

/// Prints a line of progress. It may hold text that people wrote, so control characters are replaced.
pub(super) fn print_progress(line: &str) {
    let clean: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    // A closed standard output is no reason to stop.
    let _ = writeln!(std::io::stdout().lock(), "{}", shortened(&clean, 120));
}

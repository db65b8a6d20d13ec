//! A replacement of text as a unified diff.

/// Lines of context around what changes.
const CONTEXT: usize = 3;

/// One hunk for a replacement. The lines are counted from the beginning of the replaced text, since where it stands in
/// the file is not known.
pub(super) fn hunk(old: &str, new: &str) -> String {
    let (old, new) = (lines(old), lines(new));
    let shared = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let rest = old.len().min(new.len()) - shared;
    let shared_end = old.iter().rev().zip(new.iter().rev()).take(rest).take_while(|(old, new)| old == new).count();
    let start = shared.saturating_sub(CONTEXT);
    let after = shared_end.min(CONTEXT);
    let (old_end, new_end) = (old.len() - shared_end, new.len() - shared_end);
    let mut hunk =
        format!("@@ -{},{} +{},{} @@\n", start + 1, old_end + after - start, start + 1, new_end + after - start);
    let mut push = |sign: char, lines: &[&str]| {
        for line in lines {
            hunk.push(sign);
            hunk.push_str(line);
            hunk.push('\n');
        }
    };
    push(' ', &old[start..shared]);
    push('-', &old[shared..old_end]);
    push('+', &new[shared..new_end]);
    push(' ', &old[old_end..old_end + after]);
    hunk
}

/// The lines with all that they have, so that a changed line end is a change.
fn lines(text: &str) -> Vec<&str> {
    if text.is_empty() { Vec::new() } else { text.split('\n').collect() }
}

/// The lines that name the file.
pub(super) fn head(path: &str) -> String {
    format!("--- {path}\n+++ {path}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_shown_with_their_context() {
        assert_eq!(hunk("a\nb\nc", "a\nx\nc"), "@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n");
        assert_eq!(hunk("1\n2\n3\n4\n5", "1\n2\n3\n4\n6"), "@@ -2,4 +2,4 @@\n 2\n 3\n 4\n-5\n+6\n");
        assert_eq!(hunk("", "new"), "@@ -1,0 +1,1 @@\n+new\n");
        assert_eq!(hunk("old", ""), "@@ -1,1 +1,0 @@\n-old\n");
        assert_eq!(hunk("a\na", "a"), "@@ -1,2 +1,1 @@\n a\n-a\n");
    }

    #[test]
    fn a_changed_line_end_is_a_change() {
        assert_eq!(hunk("a\n", "a"), "@@ -1,2 +1,1 @@\n a\n-\n");
        assert_eq!(hunk("a\r\nb", "a\nb"), "@@ -1,2 +1,2 @@\n-a\r\n+a\n b\n");
    }
}

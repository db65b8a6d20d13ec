//! What an answer decides.

use super::words::words;

words! {
    /// What an answer decides.
    Outcome {
        /// Yes.
        Approved,
        /// No.
        Rejected,
        /// Neither: the text, action or values say what.
        Answered,
    }
}

//! Why an envelope is not accepted.

/// Why an envelope is not accepted, or does not count as an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It is of another scheme, such as `plain`.
    #[error("it is not sealed with hiloop/v2")]
    Scheme,
    /// A part is missing or malformed.
    #[error("the envelope is malformed: {0}")]
    Malformed(&'static str),
    /// The header is not in its canonical form.
    #[error("the header is not canonical")]
    NotCanonical,
    /// The hub names another sender than the envelope.
    #[error("the envelope is of another sender than the hub says")]
    Sender,
    /// The sender's key is not known here.
    #[error("the key of the sender is not pinned")]
    UnknownKey,
    /// The hub shows another key of the sender, which nobody has confirmed.
    #[error("the key of the sender has changed, and the change is not confirmed")]
    KeyChanged,
    /// The owner of the space does not attest the sender's key, or not any more.
    #[error("the key of the sender is not attested by the owner of the space, or not any more")]
    NotAttested,
    /// The signature does not verify.
    #[error("the signature does not verify")]
    Signature,
    /// The ciphertext is not the one that was signed.
    #[error("the ciphertext is not the one that was signed")]
    Ciphertext,
    /// It was not sealed for this principal and key.
    #[error("it is not sealed for this key")]
    NotForUs,
    /// The wrapped content key is missing, or there are several.
    #[error("there is not exactly one wrapped key for this key")]
    Wrapping,
    /// The content key does not open.
    #[error("the wrapped key does not open")]
    Unwrap,
    /// The content key is not the one that was signed.
    #[error("the content key is not the one that was signed")]
    Commit,
    /// The content does not open.
    #[error("the content does not open")]
    Content,
    /// It belongs to another session.
    #[error("it was sealed for another session")]
    Session,
    /// Another message carried the same envelope before.
    #[error("it was accepted before, in another message")]
    Replayed,
    /// The question has no answer that could be checked.
    #[error("the question is said to be answered, but there is no answer")]
    NoAnswer,
    /// It is no answer but something else.
    #[error("it is not sealed as an answer")]
    Kind,
    /// It answers another question.
    #[error("it answers another question")]
    Parent,
    /// The sender may not answer the question.
    #[error("the sender may not answer this question")]
    Answerer,
    /// The question does not offer the action.
    #[error("the question does not offer this action")]
    Action,
    /// It came after the deadline.
    #[error("it came after the deadline")]
    Late,
    /// The hub shows something else as this question than what was asked.
    #[error("the hub presents another envelope, or another message, as this question")]
    OtherQuestion,
}

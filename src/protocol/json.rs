//! Parses JSON; an error names the field.

use crate::domain::Refusal;
use serde::de::DeserializeOwned;

/// Parses a JSON object into a type.
pub fn parse_object<T: DeserializeOwned>(text: &[u8]) -> Result<T, Refusal> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        if path != "." {
            let problem = without_line_and_column(&inner);
            let problem = if inner.is_data() { problem } else { format!("is not valid JSON: {problem}") };
            Refusal::Invalid(format!("Field '{path}': {problem}"))
        } else {
            Refusal::Invalid(format!("The body is not valid JSON: {inner}"))
        }
    })?;
    deserializer.end().map_err(|error| Refusal::Invalid(format!("The body is not valid JSON: {error}")))?;
    Ok(value)
}

/// serde's error without " at line 1 column 2", which is of no use for a body on one line.
fn without_line_and_column(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or_default().to_owned()
}

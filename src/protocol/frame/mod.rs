//! The frames of a socket (contract section 8): [`client`] parses those of clients, [`hub`] encodes those of the hub.

pub mod client;
pub mod form;
pub mod hub;

use crate::domain::json::is_in_range;
use serde::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};

/// The `id` of a client's frame, echoed in the reply: a string, a number (in its original text), or null.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct FrameId(Box<RawValue>);

impl FrameId {
    /// The `id` of a frame that has none.
    pub fn null() -> Self {
        Self(RawValue::NULL.to_owned())
    }

    pub fn is_null(&self) -> bool {
        self.0.get() == RawValue::NULL.get()
    }

    /// Parses an `id`; `None` if it is neither a string, nor a number, nor null.
    pub fn from_sent(sent: &RawValue) -> Option<Self> {
        let text = sent.get();
        let is_id = text.starts_with(|first: char| matches!(first, '"' | '-' | 'n') || first.is_ascii_digit());
        // A string with an unpaired surrogate is not valid text.
        let is_text = !text.contains('\\') || serde_json::from_str::<Cow<'_, str>>(text).is_ok();
        let is_in_range = text.starts_with(['"', 'n']) || is_in_range(text);
        (is_id && is_text && is_in_range).then(|| Self(sent.to_owned()))
    }
}

impl fmt::Display for FrameId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.get())
    }
}

/// The schema of a [`FrameId`].
pub fn frame_id() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::Array(vec![Type::String, Type::Number, Type::Null]))
}

/// The schema of a flag that is always `true`.
fn always() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Boolean).enum_values(Some([true]))
}

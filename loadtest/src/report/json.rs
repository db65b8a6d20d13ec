//! The JSON report as text: objects on lines of their own, arrays on one line, since columns have a number a second.

use std::io::{self, Write};

use serde::Serialize as _;
use serde_json::{
    Serializer, Value,
    ser::{CompactFormatter, Formatter, PrettyFormatter},
};

#[derive(Default)]
struct Layout<'a> {
    pretty: PrettyFormatter<'a>,
    /// How many arrays the current place is in.
    arrays: usize,
}

/// With a line feed at its end.
pub(super) fn text(value: &Value) -> serde_json::Result<Vec<u8>> {
    let mut text = Vec::new();
    value.serialize(&mut Serializer::with_formatter(&mut text, Layout::default()))?;
    text.push(b'\n');
    Ok(text)
}

impl Formatter for Layout<'_> {
    fn begin_array<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.arrays += 1;
        CompactFormatter.begin_array(out)
    }

    fn end_array<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.arrays -= 1;
        CompactFormatter.end_array(out)
    }

    fn begin_object<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        match self.arrays {
            0 => self.pretty.begin_object(out),
            _ => CompactFormatter.begin_object(out),
        }
    }

    fn end_object<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        match self.arrays {
            0 => self.pretty.end_object(out),
            _ => CompactFormatter.end_object(out),
        }
    }

    fn begin_object_key<W: Write + ?Sized>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        match self.arrays {
            0 => self.pretty.begin_object_key(out, first),
            _ => CompactFormatter.begin_object_key(out, first),
        }
    }

    fn begin_object_value<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        match self.arrays {
            0 => self.pretty.begin_object_value(out),
            _ => CompactFormatter.begin_object_value(out),
        }
    }

    fn end_object_value<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        match self.arrays {
            0 => self.pretty.end_object_value(out),
            _ => CompactFormatter.end_object_value(out),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_stand_on_one_line() {
        let value =
            json!({"series": {"seconds": [1.0, 2.0], "none": [], "points": [[0, {"a": 1, "b": [2]}]]}, "z": {}});
        let text = String::from_utf8(text(&value).expect("JSON")).expect("UTF-8");
        assert_eq!(serde_json::from_str::<Value>(&text).expect("JSON"), value);
        assert!(text.contains("    \"seconds\": [1.0,2.0]"), "{text}");
        assert!(text.contains("    \"points\": [[0,{\"a\":1,\"b\":[2]}]]"), "{text}");
        assert!(text.ends_with("}\n") && text.contains("\"z\": {}"), "{text}");
    }
}

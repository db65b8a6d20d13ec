//! JSON that the hub carries without interpreting it: kept as the text that was sent, on one line.
//!
//! A tree of values would cost many times the text's memory and change its numbers: `18446744073709551616` would come
//! back as `1.8446744073709552e19`.

use serde_json::value::RawValue;
use std::borrow::Cow;

/// Deepest nesting that is carried. Readers have limits too, and an event adds a few levels of its own.
const MAX_DEPTH: usize = 100;

/// Why JSON is not carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    TooLarge,
    TooDeep,
    /// A number beyond those of IEEE 754, at which most readers of JSON fail.
    BadNumber,
    /// A string with half of a surrogate pair, which no Unicode text has.
    BadString,
}

impl Unfit {
    /// The problem, to follow the name of the field. The caller names the limit.
    pub(crate) fn problem(self) -> String {
        match self {
            Self::TooLarge => "is too large".to_owned(),
            Self::TooDeep => format!("must not be nested deeper than {MAX_DEPTH} levels"),
            Self::BadNumber => "must not have a number out of range".to_owned(),
            Self::BadString => "must not have an unpaired surrogate in a string".to_owned(),
        }
    }
}

/// The text of `raw` on one line: numbers, keys and their order as they were sent; without blanks between tokens; a
/// string with escapes in it with the shortest ones. Looks no further once there are more than `max_bytes`.
pub(crate) fn on_one_line(raw: &RawValue, max_bytes: usize) -> Result<String, Unfit> {
    let text = raw.get();
    let bytes = text.as_bytes();
    let mut line = String::with_capacity(text.len().min(max_bytes));
    let (mut at, mut depth) = (0, 0usize);
    while let Some(&byte) = bytes.get(at) {
        let end = match byte {
            b'"' => end_of_string(bytes, at),
            b' ' | b'\t' | b'\n' | b'\r' => {
                at += 1;
                continue;
            }
            b'-' | b'0'..=b'9' => end_of_number(bytes, at),
            _ => at + 1,
        };
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Err(Unfit::TooDeep);
        }
        let token = &text[at..end];
        if end - at > 1 && byte != b'"' && !is_in_range(token) {
            return Err(Unfit::BadNumber);
        }
        if byte == b'"' && token.contains('\\') {
            let string: Cow<'_, str> = serde_json::from_str(token).map_err(|_| Unfit::BadString)?;
            line.push_str(&serde_json::to_string(&string).map_err(|_| Unfit::BadString)?);
        } else {
            line.push_str(token);
        }
        if line.len() > max_bytes {
            return Err(Unfit::TooLarge);
        }
        at = end;
    }
    Ok(line)
}

/// Whether JSON is nested deeper than is carried.
pub(crate) fn is_too_deep(raw: &RawValue) -> bool {
    let bytes = raw.get().as_bytes();
    let (mut at, mut depth) = (0, 0usize);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => at = end_of_string(bytes, at) - 1,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return true;
        }
        at += 1;
    }
    false
}

/// Where the number ends that begins at `at`.
fn end_of_number(bytes: &[u8], at: usize) -> usize {
    let length = bytes[at..].iter().take_while(|byte| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9'));
    at + length.count()
}

/// Whether a number is one that IEEE 754 has, however near. Few digits without an exponent always are.
pub(crate) fn is_in_range(number: &str) -> bool {
    (number.len() < 300 && !number.contains(['e', 'E'])) || number.parse().is_ok_and(f64::is_finite)
}

/// Where the string ends that begins at `at`, behind its closing quote.
fn end_of_string(bytes: &[u8], at: usize) -> usize {
    let mut end = at + 1;
    while let Some(&byte) = bytes.get(end) {
        match byte {
            b'"' => return end + 1,
            b'\\' => end += 2,
            _ => end += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn line(text: &str) -> Result<String, Unfit> {
        on_one_line(&RawValue::from_string(text.to_owned()).expect("JSON"), 1000)
    }

    #[test]
    fn numbers_and_the_order_of_keys_stay() {
        let text = r#"{"z":1796488340.0062907,"a":[18446744073709551616,-0,1E5,0.1000,1e300,1e-400],"z":1}"#;
        assert_eq!(line(text), Ok(text.to_owned()));
        assert_eq!(line(&text.replace(',', " ,\r\n\t").replace(':', " : ")), Ok(text.to_owned()));
    }

    #[test]
    fn strings_stay_what_they_say() {
        assert_eq!(line(r#""a\u0000\u00e9\/\"\\ \ud83d\ude00""#), Ok(r#""a\u0000é/\"\\ 😀""#.to_owned()));
        assert_eq!(line(r#"{"a b":" c "}"#), Ok(r#"{"a b":" c "}"#.to_owned()));
        for bad in [r#""\ud800""#, r#"{"\udc00":1}"#, r#"["\udc00\ud800"]"#] {
            assert_eq!(line(bad), Err(Unfit::BadString), "{bad}");
        }
    }

    #[test]
    fn size_depth_and_numbers_are_bounded() {
        for number in ["1e400", "-1E999", &"9".repeat(400)] {
            assert_eq!(line(&format!(r#"{{"a":[{number}]}}"#)), Err(Unfit::BadNumber));
        }
        assert_eq!(line(&format!("[{}1]", "1,".repeat(500))), Err(Unfit::TooLarge));
        assert!(line(&format!("{}{}", "[".repeat(100), "]".repeat(100))).is_ok());
        assert_eq!(line(&format!("{}{}", "[".repeat(101), "]".repeat(101))), Err(Unfit::TooDeep));
        for (depth, is_deep) in [(100, false), (101, true)] {
            let text = format!(r#"{}"]]]\"["{}"#, "[".repeat(depth), "]".repeat(depth));
            assert_eq!(is_too_deep(&RawValue::from_string(text).expect("JSON")), is_deep);
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,8}".prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((".{0,4}", inner), 0..4)
                    .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn however_it_is_set_it_is_the_same_line(value in any_json()) {
            let (compact, pretty) = (value.to_string(), serde_json::to_string_pretty(&value).expect("JSON"));
            prop_assert_eq!(on_one_line(&RawValue::from_string(pretty).expect("JSON"), usize::MAX), Ok(compact.clone()));
            prop_assert_eq!(on_one_line(&RawValue::from_string(compact.clone()).expect("JSON"), usize::MAX), Ok(compact));
        }
    }
}

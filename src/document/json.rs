//! Bytes to a JSON value, strictly: no duplicate key, no deep nesting, no megabytes.
//!
//! RFC 8259 leaves duplicate keys to the reader; here the second one would silently win over the
//! first in a person's file, so it is an error with its line and column.

use std::cell::Cell;
use std::fmt;

use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::problem::Report;

/// The largest document read, in bytes.
pub(super) const MAX_BYTES: usize = 1_000_000;
/// The deepest nesting of objects and arrays.
pub(super) const MAX_DEPTH: usize = 32;

/// Reads a JSON value; what hinders is noted with line and column.
pub(crate) fn read(bytes: &[u8], report: &mut Report) -> Option<Value> {
    if bytes.len() > MAX_BYTES {
        let values = [("size", bytes.len().to_string()), ("maximum", MAX_BYTES.to_string())];
        report.error("json.too_large", "", values);
        return None;
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let fault = Cell::new("json.syntax");
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let seed = Strict { depth: 0, fault: &fault };
    match seed.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value)) {
        Ok(value) => Some(value),
        Err(error) => {
            let text = error.to_string();
            let detail = text.split(" at line ").next().unwrap_or_default().to_owned();
            let place = [
                ("line", error.line().to_string()),
                ("column", error.column().to_string()),
                ("detail", detail),
            ];
            report.error(fault.get(), "", place);
            None
        }
    }
}

/// Builds a value, counting depth and watching for keys seen before.
struct Strict<'a> {
    depth: usize,
    fault: &'a Cell<&'static str>,
}

impl Strict<'_> {
    fn inner<E: de::Error>(&self) -> Result<Strict<'_>, E> {
        if self.depth == MAX_DEPTH {
            self.fault.set("json.too_deep");
            return Err(E::custom(MAX_DEPTH));
        }
        Ok(Strict { depth: self.depth + 1, fault: self.fault })
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: de::Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = items.next_element_seed(self.inner()?)? {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if object.contains_key(&key) {
                self.fault.set("json.duplicate_key");
                return Err(de::Error::custom(key));
            }
            object.insert(key, entries.next_value_seed(self.inner()?)?);
        }
        Ok(object.into())
    }
}

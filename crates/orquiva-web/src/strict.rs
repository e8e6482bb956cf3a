//! JSON in which no object has a name twice. Which of the two would count is each parser's own affair (RFC 8259 §4), so
//! a client could not know what was stored.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Value};

/// Reads the one value that `bytes` have to be.
pub(crate) fn read(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    serde_json::from_slice(bytes).map(|Strict(value)| value)
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader).map(Self)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
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

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(entry)) = entries.next_element()? {
            list.push(entry);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            match object.entry(name) {
                Entry::Vacant(place) => drop(place.insert(fields.next_value::<Strict>()?.0)),
                Entry::Occupied(_) => return Err(Error::custom("a name stands twice in one object")),
            }
        }
        Ok(object.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "\\PC{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-c\"\\\\ñ]{0,2}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_has_no_name_twice_is_read_as_ever(value in any_json()) {
            let text = value.to_string();
            prop_assert_eq!(read(text.as_bytes()).ok(), serde_json::from_str(&text).ok());
        }

        #[test]
        fn what_is_no_json_is_refused_as_ever(text in "[\\[\\]{}:,\"a1e.\\-tfn \\\\u]{0,24}") {
            if serde_json::from_str::<Value>(&text).is_err() {
                prop_assert!(read(text.as_bytes()).is_err());
            }
        }
    }

    #[test]
    fn a_name_that_stands_twice_is_refused_wherever_it_is_and_however_it_is_written() {
        for text in [r#"{"a":1,"a":1}"#, r#"{"x":[{"a":1,"b":{"c":1,"c":2}}]}"#, r#"{"a":1,"\u0061":2}"#] {
            assert!(read(text.as_bytes()).is_err_and(|error| error.is_data()), "{text}");
        }
        assert!(read(br#"[{"a":1},{"a":1,"A":{"a":1}}]"#).is_ok());
        assert!(read("[".repeat(200).as_bytes()).is_err(), "nor is depth without an end");
    }
}

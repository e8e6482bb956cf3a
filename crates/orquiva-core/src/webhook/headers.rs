//! Headers that an endpoint wants with its deliveries. They may hold credentials: their values are sealed at rest and
//! never shown.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::field::{self, Fault, FieldError, string};
use crate::seal::{MasterKey, OVERHEAD, Unsealable};
use crate::{Chance, Secret};

/// Most headers.
const MOST: usize = 20;

/// Most bytes of all names and values together.
const MOST_BYTES: usize = 4096;

/// What is shown in the place of a value.
const HIDDEN: &str = "***";

/// Headers that say how a request is to be read or where it goes, who sends it, or what is signed: they are ours.
/// A name that ends in `-` stands for all that begin with it.
const OURS: [&str; 21] = [
    "host",
    "connection",
    "keep-alive",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "http2-settings",
    "expect",
    "content-",
    "cookie",
    "set-cookie",
    "user-agent",
    "forwarded",
    "x-forwarded-",
    "x-real-ip",
    "via",
    "proxy-",
    "x-orq-",
    "webhook-",
    "x-http-method-",
];

/// The headers by name, in lower case.
#[derive(Clone, Default)]
pub struct Headers(BTreeMap<String, Held>);

#[derive(Clone)]
enum Held {
    /// As the client sent it.
    Plain(Secret),
    /// As it is stored.
    Sealed(Vec<u8>),
}

impl Headers {
    /// Reads what a client sent. `***`, which is what it was shown, keeps the value that `former` has.
    pub(crate) fn read(value: &Value, former: &Self) -> Result<Self, Vec<FieldError>> {
        let fault = |pointer: String, fault| FieldError { pointer, fault };
        let Value::Object(map) = value else {
            return Err(vec![fault(String::new(), Fault::WrongType { expected: "object" })]);
        };
        let mut headers = Self::default();
        let mut faults = Vec::new();
        for (given, value) in map {
            let name = given.to_ascii_lowercase();
            let read = check_name(&name).and_then(|()| match former.0.get(&name) {
                Some(kept) if value == HIDDEN => Ok(kept.clone()),
                _ => read_value(value).map(Held::Plain),
            });
            match read {
                Ok(held) => {
                    if headers.0.insert(name, held).is_some() {
                        faults.push(fault(field::pointer(given), Fault::RepeatedEntry));
                    }
                }
                Err(wrong) => faults.push(fault(field::pointer(given), wrong)),
            }
        }
        if map.len() > MOST {
            faults.push(fault(String::new(), Fault::TooMany { max: MOST }));
        } else if headers.bytes() > MOST_BYTES {
            faults.push(fault(String::new(), Fault::HeadersTooLong { max: MOST_BYTES }));
        }
        if faults.is_empty() { Ok(headers) } else { Err(faults) }
    }

    /// As they are shown, with their names spelt as `patch` spells them, so that it finds those that there are.
    pub(crate) fn spelt_like(&self, patch: Option<&Value>) -> Value {
        let given: Vec<_> = patch.and_then(Value::as_object).into_iter().flat_map(Map::keys).collect();
        let spell = |name: &String| {
            let given = given.iter().find(|given| given.eq_ignore_ascii_case(name));
            (given.map_or(name, |given| *given).clone(), HIDDEN.into())
        };
        Value::Object(self.0.keys().map(spell).collect())
    }

    /// Whether a value was sent that is not stored yet.
    pub fn has_new(&self) -> bool {
        self.0.values().any(|held| matches!(held, Held::Plain(_)))
    }

    /// Seals what was sent, each value for its own place under `place`.
    #[must_use]
    pub fn sealed(&self, key: &MasterKey, place: &str, chance: &dyn Chance) -> Self {
        let seal = |(name, held): (&String, &Held)| {
            let sealed = match held {
                Held::Plain(value) => key.seal(value.expose().as_bytes(), &place_of(place, name), chance),
                Held::Sealed(sealed) => sealed.clone(),
            };
            (name.clone(), Held::Sealed(sealed))
        };
        Self(self.0.iter().map(seal).collect())
    }

    /// The names and their values, opened.
    pub fn open(&self, key: &MasterKey, place: &str) -> Result<Vec<(&str, Secret)>, Unsealable> {
        let open = |(name, held): (&String, &Held)| match held {
            Held::Plain(value) => Ok(value.clone()),
            Held::Sealed(sealed) => {
                let value = key.open(sealed, &place_of(place, name))?;
                str::from_utf8(&value).map(Secret::new).map_err(|_| Unsealable)
            }
        };
        self.0.iter().map(|(name, held)| Ok((name.as_str(), open((name, held))?))).collect()
    }

    /// As they are stored: JSON of names and sealed values. Nothing if there are none; one that is not sealed is
    /// never stored.
    pub fn to_stored(&self) -> Option<String> {
        let stored: BTreeMap<_, _> = self
            .0
            .iter()
            .filter_map(|(name, held)| match held {
                Held::Sealed(sealed) => Some((name, STANDARD.encode(sealed))),
                Held::Plain(_) => None,
            })
            .collect();
        (!stored.is_empty()).then(|| serde_json::json!(stored).to_string())
    }

    /// Headers as they were stored.
    pub fn stored(text: &str) -> Option<Self> {
        let stored: BTreeMap<String, String> = serde_json::from_str(text).ok()?;
        let open = |(name, value): (String, String)| Some((name, Held::Sealed(STANDARD.decode(value).ok()?)));
        stored.into_iter().map(open).collect::<Option<_>>().map(Self)
    }

    /// How long names and values are together.
    fn bytes(&self) -> usize {
        let length = |held: &Held| match held {
            Held::Plain(value) => value.expose().len(),
            Held::Sealed(sealed) => sealed.len().saturating_sub(OVERHEAD),
        };
        self.0.iter().map(|(name, held)| name.len() + length(held)).sum()
    }
}

/// In JSON every value is hidden.
impl Serialize for Headers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.keys().map(|name| (name, HIDDEN)))
    }
}

/// A value never gets into a log by way of a debugging format.
impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

fn place_of(place: &str, name: &str) -> String {
    format!("{place}/header/{name}")
}

/// A token of RFC 9110 §5.6.2 that is none of ours.
fn check_name(name: &str) -> Result<(), Fault> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if !(1..=100).contains(&name.len()) || !name.bytes().all(is_token) {
        return Err(Fault::InvalidHeaderName);
    }
    let is_ours = |ours: &str| if ours.ends_with('-') { name.starts_with(ours) } else { name == ours };
    match OURS.iter().any(|ours| is_ours(ours)) {
        true => Err(Fault::ForbiddenHeader),
        false => Ok(()),
    }
}

/// Visible ASCII with blanks between (RFC 9110 §5.5). What was shown as hidden is no value.
fn read_value(value: &Value) -> Result<Secret, Fault> {
    let text = string(value)?.trim_matches([' ', '\t']);
    if text.is_empty() {
        return Err(Fault::Empty);
    }
    if text == HIDDEN {
        return Err(Fault::HiddenValue);
    }
    match text.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte)) {
        true => Ok(Secret::new(text)),
        false => Err(Fault::InvalidHeaderValue),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::SeededChance;
    use proptest::prelude::*;
    use serde_json::json;

    fn read(value: &Value) -> Result<Headers, Vec<(String, &'static str)>> {
        let own = |faults: Vec<FieldError>| {
            faults.into_iter().map(|error| (error.pointer, error.fault.code())).collect()
        };
        Headers::read(value, &Headers::default()).map_err(own)
    }

    #[test]
    fn a_header_of_ours_is_refused_in_whatever_case() {
        for name in [
            "Host",
            "CONTENT-TYPE",
            "Content-Length",
            "content-x",
            "Transfer-Encoding",
            "Connection",
            "Cookie",
            "X-Orq-Signature",
            "x-orq-",
            "Webhook-Id",
            "webhook-signature",
            "User-Agent",
            "Forwarded",
            "X-Forwarded-For",
            "Proxy-Authorization",
            "Upgrade",
            "TE",
            "Expect",
            "Trailer",
            "Via",
            "Keep-Alive",
            "X-HTTP-Method-Override",
        ] {
            let refused = read(&json!({ name: "x" })).expect_err(name);
            assert_eq!(refused, [(format!("/{name}"), "forbidden_header")]);
        }
        for name in
            ["Authorization", "X-Api-Key", "hosts", "x-orqa", "accept", "traceparent", "tex", "webhooks"]
        {
            assert!(read(&json!({ name: "x" })).is_ok(), "{name}");
        }
    }

    #[test]
    fn every_bad_header_is_named_at_once() {
        let value = json!({
            "X A": "x", "": "x", "X:": "x", "é": "x", "X-1": "a\r\nHost: b", "X-2": "ñ", "X-3": 7, "X-4": " ",
            "X-5": "***", "X-6": "ok", "x-6": "again", "X-7": "\u{7f}", "a/b": "x",
        });
        let expected = [
            ("/X A", "invalid_header_name"),
            ("/", "invalid_header_name"),
            ("/X:", "invalid_header_name"),
            ("/é", "invalid_header_name"),
            ("/X-1", "invalid_header_value"),
            ("/X-2", "invalid_header_value"),
            ("/X-3", "wrong_type"),
            ("/X-4", "empty"),
            ("/X-5", "hidden_value"),
            ("/x-6", "repeated"),
            ("/X-7", "invalid_header_value"),
            ("/a~1b", "invalid_header_name"),
        ];
        let found = read(&value).expect_err("nearly all are wrong");
        assert_eq!(found, expected.map(|(pointer, code)| (pointer.to_owned(), code)));
        let many: serde_json::Map<_, _> = (0..21).map(|at| (format!("x-{at}"), json!("v"))).collect();
        assert_eq!(read(&Value::Object(many)).expect_err("too many"), [(String::new(), "too_many")]);
        let long = json!({ "x-a": "v".repeat(2046), "x-b": "v".repeat(2045) });
        assert_eq!(read(&long).expect_err("too long"), [(String::new(), "headers_too_long")]);
        assert!(read(&json!({ "x-a": "v".repeat(2045), "x-b": "v".repeat(2045) })).is_ok(), "4,096 bytes");
    }

    #[test]
    fn values_are_hidden_sealed_for_their_place_and_kept_by_what_was_shown() {
        let (key, chance) = (MasterKey::new(&[7; 32]), SeededChance::new(5));
        let sent = read(&json!({ "Authorization": "Bearer t0ken", "X-Team": "people" })).expect("valid");
        assert_eq!(json!(sent), json!({ "authorization": "***", "x-team": "***" }));
        assert!(!format!("{sent:?}").contains("t0ken"));
        assert!(sent.has_new() && sent.to_stored().is_none(), "never stored in the open");

        let stored = sent.sealed(&key, "webhook/1", &chance).to_stored().expect("there are some");
        assert!(!stored.contains("t0ken"));
        let loaded = Headers::stored(&stored).expect("as stored");
        let opened = loaded.open(&key, "webhook/1").expect("its place");
        let opened: Vec<_> = opened.iter().map(|(name, value)| (*name, value.expose())).collect();
        assert_eq!(opened, [("authorization", "Bearer t0ken"), ("x-team", "people")]);
        assert!(loaded.open(&key, "webhook/2").is_err());

        let mut patch = loaded.spelt_like(Some(&json!({ "AUTHORIZATION": "***", "X-TEAM": "hr" })));
        assert_eq!(patch, json!({ "AUTHORIZATION": "***", "X-TEAM": "***" }));
        patch["X-TEAM"] = json!("hr");
        let patched = Headers::read(&patch, &loaded).expect("valid");
        assert!(patched.has_new());
        let opened = patched.sealed(&key, "webhook/1", &chance);
        let opened = opened.open(&key, "webhook/1").expect("its place");
        let opened: Vec<_> = opened.iter().map(|(name, value)| (*name, value.expose())).collect();
        assert_eq!(opened, [("authorization", "Bearer t0ken"), ("x-team", "hr")]);
        assert!(!Headers::read(&json!({ "x-team": "***" }), &loaded).expect("valid").has_new());
    }

    proptest! {
        #[test]
        fn what_is_read_can_always_be_sent(name in "\\PC{0,30}", value in "\\PC{0,60}") {
            if let Ok(headers) = read(&json!({ name: value })) {
                let opened = headers.open(&MasterKey::new(&[7; 32]), "x").expect("not sealed");
                for (name, value) in opened {
                    prop_assert!(name.bytes().all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_uppercase() && byte != b':'));
                    prop_assert!(value.expose().bytes().all(|byte| byte == b'\t' || (0x20..0x7f).contains(&byte)));
                }
            }
        }
    }
}

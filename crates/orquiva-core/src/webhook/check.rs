//! Why a receiver refuses a delivery: a request as it was received, held against its signature, its secrets and what was
//! really sent.

use serde_json::Value;

use super::signature::Signer;
use crate::{Secret, Timestamp};

/// How far the clock of a receiver may be from the moment of the signature, in seconds: what the recipes allow.
pub const TOLERANCE: i64 = 300;

/// Characters of a signature in hexadecimal, and in base64.
const LENGTHS: [usize; 2] = [64, 44];

/// A request and all that is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'e> {
    /// The headers, in whatever way they were written down.
    pub headers: &'e str,
    /// The body as the receiver had it when it checked.
    pub body: &'e str,
    /// The secret with which the receiver checks.
    pub own: Option<&'e Secret>,
    /// The secrets with which it may have been signed.
    pub known: &'e [Secret],
    /// The body as it was sent.
    pub sent: Option<&'e str>,
    /// What the receiver's clock said.
    pub at: Timestamp,
}

/// What is wrong, or that nothing is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It holds, with the receiver's secret or, if that was not told, with the known one of this number.
    Holds(Option<usize>),
    /// Without this header nothing can be checked.
    Missing(&'static str),
    /// The header cannot be read.
    Malformed(&'static str, Malformed),
    /// The receiver's clock was so many seconds after the signature, or before it if negative.
    Clock(i64),
    /// What was checked is not what was sent.
    Body {
        /// What happened to it.
        change: Change,
        /// The first byte that is another one.
        at: usize,
    },
    /// The secret is the right one, but for how it was copied.
    Spelling(Spelling),
    /// The secret is another one.
    Secret {
        /// Which of the known ones signed; none of them if that is not known.
        signed: Option<usize>,
        /// Which of the known ones the receiver has.
        own: Option<usize>,
    },
    /// No known secret gives this signature for this body: either may be another one.
    Unknown,
}

/// Why a signature header cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// It does not say when.
    NoTime,
    /// There is no `v1` in it.
    NoSignature,
    /// Its `v1` has another length, so it was cut, or it has other characters.
    WrongLength {
        /// How many characters it has.
        has: usize,
        /// How many it should have.
        needs: usize,
    },
}

/// What happened to a body on the way to the check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Line ends or spaces were put around it.
    Around,
    /// It was parsed as JSON and printed again.
    Reprinted,
    /// Its UTF-8 was read as another encoding.
    Encoding,
    /// Its contents are others.
    Contents,
}

/// How a secret was copied wrongly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// With quotation marks or spaces around it.
    Around,
    /// Without `whsec_`: the text of the secret is the key, as a whole.
    NoPrefix,
}

/// What is wrong, the cause first; never empty.
pub fn check(evidence: Evidence<'_>) -> Vec<Finding> {
    match Given::read(evidence.headers) {
        Ok(given) => judge(&given, evidence),
        Err(finding) => vec![finding],
    }
}

/// A value of a header in a text that somebody pasted: lines of a request, arguments of curl, or an object.
pub fn header<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let lower = text.to_ascii_lowercase();
    lower.match_indices(name).find_map(|(at, _)| {
        let before = text[..at].chars().next_back();
        if before.is_some_and(|letter| letter.is_alphanumeric() || letter == '-') {
            return None;
        }
        let quotes = ['"', '\''];
        let rest = text[at + name.len()..].trim_start_matches(quotes).trim_start_matches([' ', '\t']);
        let line = rest.strip_prefix([':', '='])?.lines().next()?.trim();
        let value = match line.strip_prefix(quotes) {
            Some(quoted) => quoted.split(quotes).next()?,
            None => line.trim_end_matches(['\\', ' ', ',', '"', '\'']),
        };
        Some(value.trim()).filter(|value| !value.is_empty())
    })
}

/// The signature that came with a request.
struct Given {
    /// Whether it is that of Standard Webhooks, and for which id.
    id: Option<String>,
    seconds: i64,
    signatures: Vec<String>,
}

impl Given {
    /// Reads `X-Orq-Signature` or, without it, the headers of Standard Webhooks.
    fn read(headers: &str) -> Result<Self, Finding> {
        if let Some(value) = header(headers, "x-orq-signature") {
            let parts: Vec<_> = value.split(',').filter_map(|part| part.trim().split_once('=')).collect();
            let time = parts.iter().find(|(name, _)| *name == "t");
            let seconds = time.and_then(|(_, seconds)| seconds.parse().ok());
            let signatures = parts.iter().filter(|(name, _)| *name == "v1").map(|(_, hex)| *hex);
            return Self::of("x-orq-signature", None, seconds, signatures.collect(), LENGTHS[0]);
        }
        let value = header(headers, "webhook-signature").ok_or(Finding::Missing("x-orq-signature"))?;
        let id = header(headers, "webhook-id").ok_or(Finding::Missing("webhook-id"))?;
        let time = header(headers, "webhook-timestamp").ok_or(Finding::Missing("webhook-timestamp"))?;
        let signatures = value.split(' ').filter_map(|part| part.strip_prefix("v1,"));
        Self::of(
            "webhook-signature",
            Some(id.to_owned()),
            time.parse().ok(),
            signatures.collect(),
            LENGTHS[1],
        )
    }

    fn of(
        name: &'static str,
        id: Option<String>,
        seconds: Option<i64>,
        signatures: Vec<&str>,
        needs: usize,
    ) -> Result<Self, Finding> {
        let malformed = |what| Err(Finding::Malformed(name, what));
        let Some(seconds) = seconds else { return malformed(Malformed::NoTime) };
        let Some(first) = signatures.first() else { return malformed(Malformed::NoSignature) };
        if signatures.iter().all(|one| one.len() != needs) {
            return malformed(Malformed::WrongLength { has: first.len(), needs });
        }
        let signatures = signatures.into_iter().map(str::to_owned).collect();
        Ok(Self { id, seconds, signatures })
    }

    /// Whether one of its signatures is that of `body` with `secret`.
    fn is_of(&self, secret: &Secret, body: &str) -> bool {
        let at = Timestamp::from_millis(self.seconds.saturating_mul(1000));
        let id = self.id.as_deref().unwrap_or_default();
        let signed = Signer::new(secret).sign(id, at, body.as_bytes());
        let right = match self.id {
            Some(_) => signed.standard.trim_start_matches("v1,").to_owned(),
            None => signed.orq.rsplit('=').next().unwrap_or_default().to_owned(),
        };
        self.signatures.iter().any(|given| given.eq_ignore_ascii_case(&right))
    }
}

fn judge(given: &Given, evidence: Evidence<'_>) -> Vec<Finding> {
    let Evidence { body, own, known, at, .. } = evidence;
    let mut findings = Vec::new();
    let right = bodies(evidence).into_iter().find_map(|(change, body)| {
        let key = key(given, own, known, &body)?;
        Some((change, body, key))
    });
    match right {
        Some((change, right, key)) => {
            if let Some(change) = change {
                findings.push(Finding::Body { change, at: first_difference(body, &right) });
            }
            match key {
                Key::Own => {}
                Key::Spelt(spelling) => findings.push(Finding::Spelling(spelling)),
                Key::Known(_) if own.is_none() => {}
                Key::Known(signed) => {
                    findings.push(Finding::Secret { signed: Some(signed), own: place(own, known) });
                }
            }
            let off = at.seconds() - given.seconds;
            if off.abs() > TOLERANCE {
                findings.push(Finding::Clock(off));
            }
            if findings.is_empty() {
                findings.push(Finding::Holds(match key {
                    Key::Known(signed) => Some(signed),
                    Key::Own | Key::Spelt(_) => None,
                }));
            }
        }
        // What was sent is known, and so it is the secret that is not.
        None if evidence.sent.is_some() => {
            findings.push(Finding::Secret { signed: None, own: place(own, known) });
        }
        None => findings.push(Finding::Unknown),
    }
    findings
}

/// Which secret gives a signature.
#[derive(Clone, Copy)]
enum Key {
    Own,
    Spelt(Spelling),
    Known(usize),
}

fn key(given: &Given, own: Option<&Secret>, known: &[Secret], body: &str) -> Option<Key> {
    if let Some(own) = own {
        if given.is_of(own, body) {
            return Some(Key::Own);
        }
        let bare = own.expose().trim().trim_matches(['"', '\'', '`']).trim();
        if bare != own.expose() && given.is_of(&Secret::new(bare), body) {
            return Some(Key::Spelt(Spelling::Around));
        }
        if !bare.starts_with("whsec_") && given.is_of(&Secret::new(format!("whsec_{bare}")), body) {
            return Some(Key::Spelt(Spelling::NoPrefix));
        }
    }
    known.iter().position(|secret| given.is_of(secret, body)).map(Key::Known)
}

fn place(own: Option<&Secret>, known: &[Secret]) -> Option<usize> {
    let own = own?.expose().trim();
    known.iter().position(|secret| secret.expose() == own)
}

/// The body as it was received, then as it may have been before something happened to it.
fn bodies(evidence: Evidence<'_>) -> Vec<(Option<Change>, String)> {
    let Evidence { body, sent, .. } = evidence;
    let mut bodies = vec![(None, body.to_owned())];
    let mut add = |change, body: String| {
        if bodies.iter().all(|(_, known)| *known != body) {
            bodies.push((Some(change), body));
        }
    };
    add(Change::Around, body.trim().to_owned());
    add(Change::Around, body.replace("\r\n", "\n"));
    add(Change::Reprinted, compact(body));
    if let Some(read) = misread(body) {
        add(Change::Encoding, read);
    }
    if let Some(sent) = sent {
        let parsed = |text: &str| serde_json::from_str::<Value>(text).ok();
        let same = parsed(sent).is_some() && parsed(sent) == parsed(body);
        add(if same { Change::Reprinted } else { Change::Contents }, sent.to_owned());
    }
    bodies
}

/// JSON without the spaces between its parts, and with its letters as themselves: as we print it.
fn compact(text: &str) -> String {
    let mut compact = String::with_capacity(text.len());
    let mut letters = text.chars();
    let mut within = false;
    while let Some(letter) = letters.next() {
        match letter {
            '"' => {
                within = !within;
                compact.push(letter);
            }
            '\\' if within => {
                let escape = letters.next();
                match escape {
                    Some('/') => compact.push('/'),
                    Some('u') => unescape(&mut letters, &mut compact),
                    Some(other) => compact.extend(['\\', other]),
                    None => compact.push('\\'),
                }
            }
            ' ' | '\n' | '\r' | '\t' if !within => {}
            other => compact.push(other),
        }
    }
    compact
}

/// The letter that four hexadecimal digits stand for, or two times four; one that JSON has to escape stays as it is.
fn unescape(letters: &mut std::str::Chars<'_>, compact: &mut String) {
    let start = letters.as_str();
    let unit = |text: &str| text.get(..4).and_then(|digits| u16::from_str_radix(digits, 16).ok());
    let first = unit(start);
    let second = start.get(4..).and_then(|rest| unit(rest.strip_prefix("\\u")?));
    let pair: Vec<u16> = first.into_iter().chain(second).collect();
    let one = first.and_then(|unit| char::from_u32(unit.into()));
    let both = char::decode_utf16(pair).next().and_then(Result::ok);
    match one.or(both) {
        Some(letter) if letter >= ' ' && letter != '"' && letter != '\\' => {
            compact.push(letter);
            *letters = start[if one.is_some() { 4 } else { 10 }..].chars();
        }
        _ => compact.push_str("\\u"),
    }
}

/// UTF-8 that was read as Latin-1: `Ã©` was `é`.
fn misread(text: &str) -> Option<String> {
    let bytes: Option<Vec<u8>> = text.chars().map(|letter| u8::try_from(u32::from(letter)).ok()).collect();
    String::from_utf8(bytes?).ok().filter(|read| read != text)
}

fn first_difference(left: &str, right: &str) -> usize {
    let same = left.bytes().zip(right.bytes()).take_while(|(left, right)| left == right);
    same.count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const OLD: &str = "whsec_b2xkIG9sZCBvbGQgb2xkIG9sZCBvbGQgb2xkIG9sZCA=";
    const BODY: &str = r#"{"id":"evt_1","type":"employee.created","data":{"fullName":"Ana Pérez","url":"https://a/b","note":"a \"b\" \n"}}"#;
    const AT: Timestamp = Timestamp::from_millis(1_767_225_600_000);

    fn headers(body: &str, secret: &str) -> String {
        let signed = Signer::new(&Secret::new(secret)).sign("evt_1", AT, body.as_bytes());
        format!("Content-Type: application/json\nX-Orq-Signature: {}\n", signed.orq)
    }

    fn standard(body: &str, secret: &str) -> String {
        let signed = Signer::new(&Secret::new(secret)).sign("evt_1", AT, body.as_bytes());
        let seconds = AT.seconds();
        format!("webhook-id: evt_1\nwebhook-timestamp: {seconds}\nwebhook-signature: {}", signed.standard)
    }

    /// What is found of a request that was signed for [`BODY`] with [`SECRET`].
    fn found(headers: &str, body: &str, own: Option<&str>, at: Timestamp) -> Vec<Finding> {
        let known = [Secret::new(SECRET), Secret::new(OLD)];
        let own = own.map(Secret::new);
        check(Evidence { headers, body, own: own.as_ref(), known: &known, sent: None, at })
    }

    #[test]
    fn what_holds_holds_however_its_headers_are_written_down() {
        let signed = Signer::new(&Secret::new(SECRET)).sign("evt_1", AT, BODY.as_bytes());
        for text in [
            headers(BODY, SECRET),
            format!("POST /hook HTTP/1.1\r\n> x-orq-signature:{}\r\n", signed.orq),
            format!("curl -H 'X-Orq-Signature: {}' \\\n -d @body", signed.orq),
            json!({ "x-orq-signature": signed.orq, "a": "b" }).to_string(),
            format!("{{ 'x-orq-signature': '{}', a: 1 }}", signed.orq),
            standard(BODY, SECRET),
            format!("X-Webhook-Signature: no\n{}", standard(BODY, SECRET)),
        ] {
            assert_eq!(found(&text, BODY, Some(SECRET), AT), [Finding::Holds(None)], "{text}");
            assert_eq!(found(&text, BODY, None, AT), [Finding::Holds(Some(0))], "{text}");
        }
    }

    #[test]
    fn a_header_that_is_missing_or_cut_is_named() {
        use Malformed::{NoSignature, NoTime, WrongLength};
        let whole = standard(BODY, SECRET);
        let without =
            |name: &str| whole.lines().filter(|line| !line.starts_with(name)).collect::<Vec<_>>().join("\n");
        for (text, finding) in [
            ("Content-Type: application/json".to_owned(), Finding::Missing("x-orq-signature")),
            ("x-orq-signature:".to_owned(), Finding::Missing("x-orq-signature")),
            (without("webhook-id"), Finding::Missing("webhook-id")),
            (without("webhook-timestamp"), Finding::Missing("webhook-timestamp")),
            ("x-orq-signature: v1=00".to_owned(), Finding::Malformed("x-orq-signature", NoTime)),
            ("x-orq-signature: t=1".to_owned(), Finding::Malformed("x-orq-signature", NoSignature)),
            (
                "x-orq-signature: t=1,v1=00ff".to_owned(),
                Finding::Malformed("x-orq-signature", WrongLength { has: 4, needs: 64 }),
            ),
            (
                "webhook-id: evt_1\nwebhook-timestamp: 1\nwebhook-signature: v1a,x".to_owned(),
                Finding::Malformed("webhook-signature", NoSignature),
            ),
        ] {
            assert_eq!(found(&text, BODY, Some(SECRET), AT), [finding], "{text}");
        }
    }

    #[test]
    fn a_body_that_was_changed_on_the_way_is_recognised_by_what_it_was() {
        let pretty = serde_json::to_string_pretty(&serde_json::from_str::<Value>(BODY).unwrap()).unwrap();
        let escaped = BODY.replace('é', "\\u00e9").replace("/", "\\/").replace(",", ", ");
        let latin: String = BODY.bytes().map(char::from).collect();
        for (body, change) in [
            (format!("{BODY}\n"), Change::Around),
            (pretty, Change::Reprinted),
            (escaped, Change::Reprinted),
            (latin, Change::Encoding),
        ] {
            for text in [headers(BODY, SECRET), standard(BODY, SECRET)] {
                let findings = found(&text, &body, Some(SECRET), AT);
                let at = first_difference(&body, BODY);
                assert_eq!(findings, [Finding::Body { change, at }], "{body}");
            }
        }
        // What was sent is known: then every change is seen, and where it begins.
        let reordered = r#"{"type":"employee.created","id":"evt_1","data":{"fullName":"Ana Pérez","url":"https://a/b","note":"a \"b\" \n"}}"#;
        let known = [Secret::new(SECRET)];
        let text = headers(BODY, SECRET);
        let judged =
            |body, sent| check(Evidence { headers: &text, body, own: None, known: &known, sent, at: AT });
        assert_eq!(judged(reordered, None), [Finding::Unknown]);
        let reprinted = Finding::Body { change: Change::Reprinted, at: 2 };
        assert_eq!(judged(reordered, Some(BODY)), [reprinted]);
        let other = BODY.replace("Ana", "Eva");
        let at = BODY.find("Ana").unwrap();
        assert_eq!(judged(&other, Some(BODY)), [Finding::Body { change: Change::Contents, at }]);
        assert_eq!(judged(&other, Some("{}")), [Finding::Secret { signed: None, own: None }]);
    }

    #[test]
    fn a_wrong_secret_is_told_from_one_that_was_copied_badly_and_from_the_one_before() {
        let bare = SECRET.strip_prefix("whsec_").unwrap();
        let text = headers(BODY, SECRET);
        for (own, finding) in [
            (format!("\"{SECRET}\" "), Finding::Spelling(Spelling::Around)),
            (bare.to_owned(), Finding::Spelling(Spelling::NoPrefix)),
            (OLD.to_owned(), Finding::Secret { signed: Some(0), own: Some(1) }),
            ("whsec_AAAA".to_owned(), Finding::Secret { signed: Some(0), own: None }),
        ] {
            assert_eq!(found(&text, BODY, Some(&own), AT), [finding], "{own}");
        }
        let by_nobody = headers(BODY, "whsec_AAAA");
        assert_eq!(found(&by_nobody, BODY, Some(SECRET), AT), [Finding::Unknown]);
    }

    #[test]
    fn a_clock_may_be_five_minutes_off_and_several_things_may_be_wrong_at_once() {
        let text = headers(BODY, SECRET);
        for (off, expected) in [
            (300, Finding::Holds(None)),
            (-300, Finding::Holds(None)),
            (301, Finding::Clock(301)),
            (-301, Finding::Clock(-301)),
        ] {
            assert_eq!(found(&text, BODY, Some(SECRET), AT.plus(off * 1000)), [expected]);
        }
        let pretty = BODY.replace("\":", "\": ");
        let all = found(&text, &pretty, Some(OLD), AT.plus(3_600_000));
        assert!(matches!(
            all.as_slice(),
            [
                Finding::Body { change: Change::Reprinted, .. },
                Finding::Secret { signed: Some(0), own: Some(1) },
                Finding::Clock(3600)
            ]
        ));
    }

    proptest! {
        #[test]
        fn whatever_is_pasted_is_judged(headers in "\\PC{0,200}", body in "\\PC{0,200}", own in "\\PC{0,60}") {
            for prefix in ["", "x-orq-signature: t=1,v1=", "webhook-signature: v1,"] {
                let findings = found(&format!("{prefix}{headers}"), &body, Some(&own), AT);
                prop_assert!(!findings.is_empty());
            }
        }

        #[test]
        fn what_was_printed_again_is_known_by_its_compact_form(text in "[a-zé\"\\\\/😀 \n]{0,20}") {
            let value = json!({ "a": text, "b": [1, { "c": null }] });
            let ours = value.to_string();
            let pretty = serde_json::to_string_pretty(&value).unwrap();
            let ascii: String = pretty.chars().map(|letter| match letter.is_ascii() {
                true => letter.to_string(),
                false => {
                    let mut units = [0; 2];
                    letter.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect()
                }
            }).collect();
            prop_assert_eq!(compact(&pretty), ours.clone());
            prop_assert_eq!(compact(&ascii), ours);
        }
    }
}

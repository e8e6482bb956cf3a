//! Typed ids: a prefix that says what it is of, then 26 characters of a UUIDv7 in Crockford base32,
//! so ids sort by the time they were made (RFC 9562 §5.7).

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Serialize, Serializer};

use crate::{Chance, Clock, Timestamp};

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// What an id is of. A kind has no values: it only keeps an employee's id from passing for a company's.
pub trait Kind {
    /// The letters before the underscore.
    const PREFIX: &'static str;
}

/// An id of kind `K`.
pub struct Id<K>(u128, PhantomData<fn() -> K>);

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident $alias:ident $prefix:literal;)*) => { $(
        $(#[$doc])*
        #[derive(Debug)]
        pub enum $kind {}
        impl Kind for $kind { const PREFIX: &'static str = $prefix; }
        $(#[$doc])*
        pub type $alias = Id<$kind>;
    )* };
}

kinds! {
    /// A company, the tenant.
    CompanyKind CompanyId "cmp";
    /// An API client (RFC 6749 §2).
    ClientKind ClientId "cli";
    /// An employee.
    EmployeeKind EmployeeId "emp";
    /// A department.
    DepartmentKind DepartmentId "dep";
    /// An event.
    EventKind EventId "evt";
    /// A webhook endpoint.
    WebhookKind WebhookId "whk";
    /// One event on its way to one endpoint.
    DeliveryKind DeliveryId "dlv";
    /// Events that an endpoint gets again.
    ReplayKind ReplayId "rpl";
    /// A notice.
    NoticeKind NoticeId "ntc";
    /// Someone who uses the console.
    UserKind UserId "usr";
    /// A browser that is signed in to the console.
    SessionKind SessionId "ses";
    /// An invitation to a company's console.
    InvitationKind InvitationId "inv";
    /// An import of people from a file.
    ImportKind ImportId "imp";
    /// An entry of the audit.
    AuditKind AuditId "aud";
    /// A lease of a lane.
    LeaseKind LeaseId "lse";
    /// An access token (`jti`).
    TokenKind TokenId "tok";
    /// A signing key (`kid`).
    KeyKind KeyId "key";
    /// A request, as `X-Request-Id` names it.
    RequestKind RequestId "req";
}

impl<K: Kind> Id<K> {
    /// Reads `prefix_` and 26 characters; anything else, also lower case, is no id.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(K::PREFIX)?.strip_prefix('_')?.as_bytes();
        if digits.len() != 26 || digits[0] > b'7' {
            return None;
        }
        let mut value = 0_u128;
        for digit in digits {
            let position = ALPHABET.iter().position(|letter| letter == digit)?;
            value = value << 5 | position as u128;
        }
        Some(Self(value, PhantomData))
    }

    /// The id of this kind with the digits of `other`: what there is one of for each of the other.
    pub fn twin_of<L>(other: Id<L>) -> Self {
        Self(other.0, PhantomData)
    }

    /// What comes before every id that is made from `moment` on.
    pub fn first_at(moment: Timestamp) -> Self {
        Self(u128::try_from(moment.millis()).unwrap_or(0) << 80, PhantomData)
    }
}

impl<K: Kind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0_u8; 26];
        for (at, digit) in digits.iter_mut().enumerate() {
            *digit = ALPHABET[(self.0 >> (125 - 5 * at)) as usize & 31];
        }
        f.write_str(K::PREFIX)?;
        f.write_str("_")?;
        f.write_str(str::from_utf8(&digits).map_err(|_| fmt::Error)?)
    }
}

impl<K: Kind> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<K: Kind> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}
impl<K> Hash for Id<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

/// Makes ids. Those of one mint rise strictly, also within a millisecond and when the clock is set back.
pub struct Mint {
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
    last: Mutex<(u64, u32)>,
}

impl Mint {
    /// A mint over a clock and a source of randomness.
    pub fn new(clock: Arc<dyn Clock>, chance: Arc<dyn Chance>) -> Self {
        Self { clock, chance, last: Mutex::new((0, 0)) }
    }

    /// The next id: 48 bits of milliseconds, 26 bits that count within the millisecond
    /// (RFC 9562 §6.2, method 1), 48 random bits that keep several nodes apart.
    pub fn next<K: Kind>(&self) -> Id<K> {
        let now = u64::try_from(self.clock.now().millis()).unwrap_or(0);
        let (millis, count) = {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            *last = match *last {
                (millis, count) if millis >= now && count < (1 << 26) - 1 => (millis, count + 1),
                (millis, _) => (now.max(millis + 1), 0),
            };
            *last
        };
        let mut random = [0; 10];
        self.chance.fill(&mut random);
        // `uuid` overwrites the version and variant bits, so the count goes around them.
        random[0] = (count >> 22) as u8;
        random[1] = (count >> 14) as u8;
        random[2] = (count >> 8) as u8 & 0x3F;
        random[3] = count as u8;
        let uuid = uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
        Id(uuid.as_u128(), PhantomData)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::SeededChance;
    use crate::time::FrozenClock;

    #[test]
    fn ids_of_one_mint_rise_even_when_the_clock_goes_back() {
        let clock = Arc::new(FrozenClock::at(Timestamp::from_millis(1_767_225_600_000)));
        let mint = Mint::new(clock.clone(), Arc::new(SeededChance::new(7)));
        let mut last: EmployeeId = mint.next();
        for round in 0..20_000 {
            if round % 1000 == 0 {
                clock.set(if round % 2000 == 0 { -5 } else { 3 });
            }
            let next: EmployeeId = mint.next();
            assert!(next > last && next.to_string() > last.to_string());
            assert!(next >= Id::first_at(clock.now()));
            last = next;
        }
    }

    #[test]
    fn an_id_reads_back_and_only_as_its_own_kind() {
        let clock = Arc::new(FrozenClock::at(Timestamp::from_millis(1_767_225_600_000)));
        let id: EmployeeId = Mint::new(clock, Arc::new(SeededChance::new(1))).next();
        let text = id.to_string();
        assert_eq!(text.len(), 30);
        assert_eq!(EmployeeId::parse(&text), Some(id));
        assert_eq!(CompanyId::parse(&text), None);
        assert_eq!(EmployeeId::parse(&text.to_lowercase()), None);
        assert_eq!(EmployeeId::parse(&format!("{text}0")), None);
        assert_eq!(EmployeeId::parse("emp_8ZZZZZZZZZZZZZZZZZZZZZZZZZ"), None, "more than 128 bits");
    }
}

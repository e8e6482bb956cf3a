//! Names and their addresses, remembered for a minute at most.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use orquiva_core::Clock;
use tokio::time::timeout;

use crate::egress::Lookup;

/// How long an address is believed, in milliseconds. Each connection checks it all the same.
const BELIEVED: i64 = 60_000;

/// How long an address serves while the name's servers are slow, after it should have been looked up again: many names
/// that hang must not keep the others from being found.
const STALE: i64 = 600_000;

/// How slow that is.
const SLOW: Duration = Duration::from_millis(500);

/// Most names that are remembered.
const MOST: usize = 4096;

/// The addresses of a name, or why there are none.
type Found = Result<Arc<[IpAddr]>, Arc<io::Error>>;

/// A question that is under way.
type Asked = Shared<BoxFuture<'static, Found>>;

/// The names that are known, and those that are being asked for: one question at a time for each,
/// so that a name whose servers hang keeps one thread busy and no more.
pub(crate) struct Names {
    lookup: Lookup,
    clock: Arc<dyn Clock>,
    known: Mutex<HashMap<String, Name>>,
}

enum Name {
    Asked(Asked, Option<Known>),
    Known(Known),
}

#[derive(Clone)]
struct Known {
    addresses: Arc<[IpAddr]>,
    until: i64,
}

impl Names {
    pub(crate) fn new(lookup: Lookup, clock: Arc<dyn Clock>) -> Self {
        Self { lookup, clock, known: Mutex::default() }
    }

    /// The addresses of `name`. A failure is not remembered.
    pub(crate) async fn addresses(&self, name: &str) -> Found {
        let (asked, stale) = match self.known_or_asked(name) {
            Ok(addresses) => return Ok(addresses),
            Err(asked) => asked,
        };
        let found = match stale {
            None => asked.await,
            Some(stale) => match timeout(SLOW, asked).await {
                Ok(found) => found,
                Err(_) => return Ok(stale.addresses),
            },
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match &found {
            Ok(addresses) => {
                let until = self.clock.elapsed() + BELIEVED;
                known.insert(name.to_owned(), Name::Known(Known { addresses: addresses.clone(), until }));
            }
            Err(_) => drop(known.remove(name)),
        }
        found
    }

    fn known_or_asked(&self, name: &str) -> Result<Arc<[IpAddr]>, (Asked, Option<Known>)> {
        let now = self.clock.elapsed();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let serves = |known: &Known| now < known.until + STALE;
        let stale = match known.get(name) {
            Some(Name::Known(Known { addresses, until })) if now < *until => return Ok(addresses.clone()),
            Some(Name::Asked(asked, stale)) => return Err((asked.clone(), stale.clone().filter(serves))),
            Some(Name::Known(known)) => Some(known.clone()).filter(serves),
            None => None,
        };
        if known.len() >= MOST {
            known.retain(|_, name| matches!(name, Name::Asked(..)));
        }
        let finding = self.lookup.find(name);
        let asked = async move { finding.await.map(Arc::from).map_err(Arc::new) }.boxed().shared();
        known.insert(name.to_owned(), Name::Asked(asked.clone(), stale.clone()));
        Err((asked, stale))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU8, Ordering};

    use orquiva_core::Timestamp;
    use orquiva_core::time::FrozenClock;

    use super::*;

    #[tokio::test]
    async fn a_name_is_asked_for_once_a_minute_and_a_failure_again_at_once() {
        let clock = Arc::new(FrozenClock::at(Timestamp::from_millis(0)));
        let asked = Arc::new(AtomicU8::new(0));
        let count = asked.clone();
        let lookup = Lookup::by(move |name| {
            let turn = count.fetch_add(1, Ordering::Relaxed);
            Box::pin(async move {
                match name.as_str() {
                    "bad.test" => Err(io::Error::other("no such name")),
                    _ => Ok(vec![IpAddr::from([10, 0, 0, turn])]),
                }
            })
        });
        let names = Names::new(lookup, clock.clone());
        let one = async || names.addresses("a.test").await.map(|addresses| addresses[0].to_string()).ok();
        let (first, beside) = tokio::join!(one(), one());
        assert_eq!((first.as_deref(), beside.as_deref()), (Some("10.0.0.0"), Some("10.0.0.0")));
        clock.advance(59_999);
        assert_eq!(one().await.as_deref(), Some("10.0.0.0"));
        clock.advance(1);
        assert_eq!(one().await.as_deref(), Some("10.0.0.1"));
        for _ in 0..2 {
            assert!(names.addresses("bad.test").await.is_err());
        }
        assert_eq!(asked.load(Ordering::Relaxed), 4);
    }

    #[tokio::test]
    async fn while_its_servers_hang_a_name_stands_for_what_it_stood_for() {
        let clock = Arc::new(FrozenClock::at(Timestamp::from_millis(0)));
        let asked = AtomicU8::new(0);
        let lookup = Lookup::by(move |_| match asked.fetch_add(1, Ordering::Relaxed) {
            0 => Box::pin(async { Ok(vec![IpAddr::from([10, 0, 0, 1])]) }),
            _ => Box::pin(std::future::pending()),
        });
        let names = Names::new(lookup, clock.clone());
        let now = async || timeout(2 * SLOW, names.addresses("a.test")).await.map(|found| found.is_ok());
        assert!(now().await.is_ok());
        clock.advance(BELIEVED);
        assert_eq!(now().await, Ok(true));
        clock.advance(STALE);
        assert!(now().await.is_err(), "not for ever");
    }
}

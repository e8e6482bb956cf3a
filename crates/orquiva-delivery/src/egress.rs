//! What an operator decides about the way out: which networks may be reached, through which proxy, and whose
//! certificates are believed.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::BoxFuture;
use orquiva_core::Secret;
use orquiva_core::webhook::address::Reach;
use rustls::pki_types::CertificateDer;
use url::{Url, form_urlencoded};

/// How the client goes out.
#[derive(Clone, Debug, Default)]
pub struct Egress {
    /// What it may reach.
    pub reach: Reach,
    /// The proxy that every connection goes through, if there is one.
    pub proxy: Option<Proxy>,
    /// Authorities that are believed besides those of this machine.
    pub authorities: Vec<CertificateDer<'static>>,
    /// How long it waits.
    pub times: Times,
    /// Who resolves names.
    pub lookup: Lookup,
}

/// How long an exchange may take.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// Until there is a connection: the name's look-up and every address of it that is tried.
    pub connect: Duration,
    /// Until there is TLS on it.
    pub secure: Duration,
    /// All in all, from the first step to the end of the answer's body.
    pub whole: Duration,
}

impl Default for Times {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { connect: seconds(5), secure: seconds(5), whole: seconds(15) }
    }
}

/// Finds the addresses of a name. The system does it, unless a test does.
#[derive(Clone)]
pub struct Lookup(Arc<dyn Fn(String) -> Finding + Send + Sync>);

/// A look-up under way.
pub type Finding = BoxFuture<'static, io::Result<Vec<IpAddr>>>;

impl Lookup {
    /// By this function.
    pub fn by(find: impl Fn(String) -> Finding + Send + Sync + 'static) -> Self {
        Self(Arc::new(find))
    }

    /// Looks a name up.
    pub(crate) fn find(&self, name: &str) -> Finding {
        (self.0)(name.to_owned())
    }
}

impl Default for Lookup {
    fn default() -> Self {
        Self::by(|name| {
            Box::pin(async move {
                let found = tokio::net::lookup_host((name, 0)).await?;
                Ok(found.map(|address| address.ip()).collect())
            })
        })
    }
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lookup(…)")
    }
}

/// An HTTP proxy that opens tunnels (`CONNECT`, RFC 9110 §9.3.6).
#[derive(Clone)]
pub struct Proxy {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The value of `Proxy-Authorization`.
    pub(crate) authorization: Option<Secret>,
}

/// What is no address of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write http://proxy.example:3128, with user:password@ before the name if the proxy wants it")]
pub struct NotAProxy;

impl FromStr for Proxy {
    type Err = NotAProxy;

    fn from_str(text: &str) -> Result<Self, NotAProxy> {
        let url = Url::parse(text).map_err(|_| NotAProxy)?;
        let bare = url.scheme() == "http" && url.path() == "/";
        if !bare || url.query().is_some() || url.fragment().is_some() {
            return Err(NotAProxy);
        }
        let host = url.host_str().ok_or(NotAProxy)?.trim_start_matches('[').trim_end_matches(']').to_owned();
        let authorization = (!url.username().is_empty()).then(|| {
            let pair = format!("{}:{}", decoded(url.username()), decoded(url.password().unwrap_or_default()));
            Secret::new(format!("Basic {}", STANDARD.encode(pair)))
        });
        Ok(Self { host, port: url.port().unwrap_or(80), authorization })
    }
}

/// A part of an address without its percent signs.
fn decoded(part: &str) -> String {
    let form = format!("part={}", part.replace('+', "%2B"));
    form_urlencoded::parse(form.as_bytes()).map(|(_, value)| value.into_owned()).collect()
}

/// Without the password.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_read_and_its_password_never_shown() {
        let proxy: Proxy = "http://us%40er:p+ss%3Aword@proxy.lan:3128".parse().expect("a proxy");
        assert_eq!((proxy.host.as_str(), proxy.port), ("proxy.lan", 3128));
        let authorization = proxy.authorization.as_ref().expect("credentials").expose();
        assert_eq!(authorization, format!("Basic {}", STANDARD.encode("us@er:p+ss:word")));
        assert_eq!(format!("{proxy} {proxy:?}"), "proxy.lan:3128 Proxy(proxy.lan:3128)");
        assert_eq!("http://[::1]:8080/".parse::<Proxy>().expect("a proxy").host, "::1");
        for wrong in [
            "",
            "proxy.lan:3128",
            "https://proxy.lan",
            "socks5://proxy.lan",
            "http://proxy.lan/x",
            "http://proxy.lan/?x",
        ] {
            assert_eq!(wrong.parse::<Proxy>().err(), Some(NotAProxy), "{wrong}");
        }
    }
}

//! Why an exchange failed, in a word for programs and in words for whoever has to mend it.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use orquiva_core::webhook::outcome::{Failure, Phase};
use rustls::{AlertDescription, CertificateError};

/// Why an exchange failed.
#[derive(Debug, thiserror::Error)]
#[error("{failure}: {detail}")]
pub(crate) struct Broken {
    pub(crate) failure: Failure,
    /// What exactly happened.
    pub(crate) detail: String,
    /// Whom it was tried with, if it came so far.
    pub(crate) address: Option<SocketAddr>,
}

impl Broken {
    pub(crate) fn new(failure: Failure, detail: impl Into<String>) -> Self {
        Self { failure, detail: detail.into(), address: None }
    }

    /// The time was over in `phase`.
    pub(crate) fn late(phase: Phase) -> Self {
        let detail = match phase {
            Phase::Dns => "the name was not resolved in time",
            Phase::Connect => "nobody took the connection in time",
            Phase::Tls => "TLS was not agreed on in time",
            Phase::Answer => "no answer came in time",
            Phase::Body => "the answer began, but was not whole in time",
        };
        Self::new(Failure::Timeout(phase), detail)
    }

    pub(crate) fn with(mut self, address: SocketAddr) -> Self {
        self.address = Some(address);
        self
    }

    /// What `error`, which came of an exchange, means: the chain of its causes is searched.
    pub(crate) fn of(error: &(dyn Error + 'static)) -> Self {
        let mut cause = Some(error);
        let mut deepest = error;
        while let Some(error) = cause {
            if let Some(known) = told(error) {
                return known;
            }
            deepest = error;
            // The source of an I/O error is that of the error within, which `source` alone would pass over.
            let within = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            cause = within.map(|within| within as _).or_else(|| error.source());
        }
        Self::new(Failure::Protocol, format!("the exchange broke off: {deepest}"))
    }
}

/// What one error of the chain tells by itself.
fn told(error: &(dyn Error + 'static)) -> Option<Broken> {
    if let Some(Broken { failure, detail, address }) = error.downcast_ref() {
        return Some(Broken { failure: *failure, detail: detail.clone(), address: *address });
    }
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return Some(Broken::new(Failure::Tls, explain(error)));
    }
    if let Some(error) = error.downcast_ref::<hyper::Error>() {
        let detail = match error {
            error if error.is_parse_too_large() => {
                "the head of the answer is too large: 16 KiB and 100 headers are read"
            }
            error if error.is_parse() => "the answer is no HTTP",
            error if error.is_incomplete_message() => "the connection was closed before the answer was whole",
            _ => return None,
        };
        return Some(Broken::new(Failure::Protocol, detail));
    }
    let detail = match error.downcast_ref::<io::Error>()?.kind() {
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
            "the connection was reset before the answer was whole"
        }
        ErrorKind::UnexpectedEof => "the connection was closed before the answer was whole",
        _ => return None,
    };
    Some(Broken::new(Failure::Protocol, detail))
}

/// What went wrong with TLS, for whoever has to mend it.
pub(crate) fn explain(error: &rustls::Error) -> String {
    use rustls::Error as Tls;
    match error {
        Tls::InvalidCertificate(error) => explain_certificate(error),
        Tls::AlertReceived(AlertDescription::ProtocolVersion) | Tls::PeerIncompatible(_) => {
            format!("no version or cipher in common: TLS 1.2 or 1.3 is needed ({error})")
        }
        Tls::AlertReceived(AlertDescription::HandshakeFailure) => {
            "the receiver refused: no cipher in common, or it wants a client's certificate".to_owned()
        }
        Tls::InvalidMessage(_) => "the receiver does not speak TLS: is it plain http?".to_owned(),
        other => other.to_string(),
    }
}

fn explain_certificate(error: &CertificateError) -> String {
    use CertificateError as Wrong;
    match error {
        Wrong::Expired | Wrong::ExpiredContext { .. } => "the certificate has expired".to_owned(),
        Wrong::NotValidYet | Wrong::NotValidYetContext { .. } => {
            "the certificate is not valid yet".to_owned()
        }
        Wrong::UnknownIssuer => {
            "the certificate is from an unknown authority: it is self-signed, or the chain is incomplete"
                .to_owned()
        }
        Wrong::NotValidForName => "the certificate is for another name".to_owned(),
        Wrong::NotValidForNameContext { presented, .. } => {
            // They come as `DnsName("hooks.test")`.
            let bare = |name: &String| name.split('"').nth(1).unwrap_or(name).to_owned();
            let names: Vec<_> = presented.iter().take(5).map(bare).collect();
            format!("the certificate is for another name: {}", names.join(", "))
        }
        Wrong::Revoked => "the certificate was revoked".to_owned(),
        other => format!("the certificate is refused: {other}"),
    }
}

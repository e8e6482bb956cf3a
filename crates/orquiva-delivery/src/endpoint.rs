//! An endpoint as it is called: its address, its limits, what it wants, and its secrets opened.

use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use orquiva_core::Secret;
use orquiva_core::seal::MasterKey;
use orquiva_core::webhook::key::SigningKey;
use orquiva_core::webhook::outcome::SCHEDULE;
use orquiva_core::webhook::pace::Limits;
use orquiva_core::webhook::signature::Signer;
use orquiva_core::webhook::{Format, Headers, Payload, Webhook};
use orquiva_store::StoreError;
use orquiva_store::lane::Lane;
use orquiva_store::webhook::{Keys, LiveKeys};

/// What it takes to call an endpoint, made once for all that is sent to one version of it.
pub(crate) struct Endpoint {
    /// Of which version.
    pub(crate) version: i64,
    pub(crate) url: Uri,
    /// Headers of its own.
    pub(crate) headers: HeaderMap,
    pub(crate) payload: Payload,
    pub(crate) format: Format,
    /// What it takes.
    pub(crate) limits: Limits,
    /// The waits before each try, in seconds.
    pub(crate) schedule: Vec<i64>,
    /// Whether it was granted what is sensitive.
    pub(crate) sensitive: bool,
    pub(crate) signer: Signer,
}

impl Endpoint {
    /// Opens `keys`, those of the endpoint of `lane`, and its headers.
    pub(crate) fn open(
        stored: &Webhook,
        keys: &LiveKeys,
        lane: Lane,
        key: &MasterKey,
    ) -> Result<Self, StoreError> {
        let mut signer = signer(&keys.keys, lane, key)?;
        if let Some((previous, until)) = &keys.previous {
            signer = signer.beside(self::signer(previous, lane, key)?, *until);
        }
        let shape = &stored.shape;
        Ok(Self {
            version: stored.version,
            url: shape.url.as_str().parse().map_err(StoreError::broken)?,
            headers: headers(&shape.headers, lane, key)?,
            payload: shape.payload,
            format: shape.format,
            limits: Limits { at_once: stored.concurrency(), per_second: shape.rate_per_second },
            schedule: shape.retry_schedule.clone().unwrap_or_else(|| SCHEDULE.to_vec()),
            sensitive: shape.sensitive,
            signer,
        })
    }

    /// How a body is made of an event, for the log; nothing if plainly.
    pub(crate) fn shape(&self) -> Option<&'static str> {
        match (self.payload, self.format, self.sensitive) {
            (Payload::Full, Format::Json, false) => None,
            (Payload::Full, Format::Json, true) => Some("sensitive"),
            (Payload::Full, Format::CloudEvents, false) => Some("cloudevents"),
            (Payload::Full, Format::CloudEvents, true) => Some("cloudevents sensitive"),
            (Payload::Thin, Format::Json, false) => Some("thin"),
            (Payload::Thin, Format::Json, true) => Some("thin sensitive"),
            (Payload::Thin, Format::CloudEvents, false) => Some("thin cloudevents"),
            (Payload::Thin, Format::CloudEvents, true) => Some("thin cloudevents sensitive"),
        }
    }
}

fn signer(keys: &Keys, lane: Lane, key: &MasterKey) -> Result<Signer, StoreError> {
    let secret = key.open(&keys.secret, &lane.secret_place()).map_err(StoreError::broken)?;
    let secret = Secret::new(str::from_utf8(&secret).map_err(StoreError::broken)?);
    let pair = |sealed: &Vec<u8>| {
        let seed = key.open(sealed, &lane.signing_key_place()).map_err(StoreError::broken)?;
        SigningKey::from_seed(&seed).map_err(StoreError::broken)
    };
    Ok(Signer::new(&secret).with(keys.signing_key.as_ref().map(pair).transpose()?))
}

fn headers(sealed: &Headers, lane: Lane, key: &MasterKey) -> Result<HeaderMap, StoreError> {
    let opened = sealed.open(key, &lane.secret_place()).map_err(StoreError::broken)?;
    let mut headers = HeaderMap::with_capacity(opened.len());
    for (name, value) in opened {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(StoreError::broken)?;
        let mut value = HeaderValue::from_str(value.expose()).map_err(StoreError::broken)?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

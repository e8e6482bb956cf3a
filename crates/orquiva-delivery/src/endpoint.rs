//! An endpoint as it is called: its address, its limits, and its secret opened.

use http::Uri;
use orquiva_core::Secret;
use orquiva_core::seal::MasterKey;
use orquiva_core::webhook::Webhook;
use orquiva_core::webhook::signature::Signer;
use orquiva_store::StoreError;
use orquiva_store::lane::Lane;

/// What it takes to call an endpoint, made once for all that is sent to it while its lane is held.
pub(crate) struct Endpoint {
    pub(crate) url: Uri,
    /// Most calls at the same time.
    pub(crate) concurrency: usize,
    /// Whether it was granted what is sensitive.
    pub(crate) sensitive: bool,
    pub(crate) signer: Signer,
}

impl Endpoint {
    /// Opens `sealed`, the secret of the endpoint of `lane`.
    pub(crate) fn open(
        stored: &Webhook,
        sealed: &[u8],
        lane: Lane,
        key: &MasterKey,
    ) -> Result<Self, StoreError> {
        let secret = key.open(sealed, &lane.secret_place()).map_err(StoreError::broken)?;
        let secret = Secret::new(str::from_utf8(&secret).map_err(StoreError::broken)?);
        Ok(Self {
            url: stored.url.parse().map_err(StoreError::broken)?,
            concurrency: usize::try_from(stored.max_concurrency).unwrap_or(1),
            sensitive: stored.sensitive,
            signer: Signer::new(&secret),
        })
    }
}

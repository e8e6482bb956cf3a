//! What every page works with.

use std::ops::Deref;
use std::sync::Arc;

use orquiva_core::id::CompanyId;
use orquiva_store::{StoreError, Tx};
use orquiva_web::{App, Inside};
use tokio::sync::Semaphore;

use crate::gate::Gate;
use crate::member::{Act, Member};

/// Whether anyone may found a company here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignUp {
    /// Anyone.
    #[default]
    Open,
    /// Only the operator, with `orquiva admin create`.
    Closed,
}

/// What every page works with: the parts of the web, and the API from inside.
#[derive(Clone)]
pub struct Console(Arc<Inner>);

/// The parts of a console.
pub struct Inner {
    app: App,
    /// The API, from inside.
    pub(crate) inside: Inside,
    /// Whether anyone may found a company here.
    pub(crate) sign_up: SignUp,
    /// Who may still try to sign in from where.
    pub(crate) gate: Gate,
    /// Passwords are compared two at a time at most: each takes a core for a while, and 19 MiB.
    pub(crate) hashing: Semaphore,
}

impl Deref for Console {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Deref for Inner {
    type Target = App;

    fn deref(&self) -> &App {
        &self.app
    }
}

impl Console {
    /// A console over the parts of the web.
    pub fn new(app: App, sign_up: SignUp) -> Self {
        let inside = Inside::new(app.clone());
        Self(Arc::new(Inner { app, inside, sign_up, gate: Gate::default(), hashing: Semaphore::new(2) }))
    }

    /// Whether browsers reach us over TLS: then cookies are for TLS alone.
    pub(crate) fn is_secure(&self) -> bool {
        self.public_url.starts_with("https://")
    }

    /// Changes something that the API does not have, in one transaction with its entry in the audit.
    pub(crate) async fn change<F, R, T>(&self, member: &Member, act: Act, verb: F) -> Result<T, StoreError>
    where
        F: FnOnce(Tx) -> R + Clone + Send + 'static,
        R: Future<Output = Result<T, StoreError>> + Send,
        T: Send + 'static,
    {
        let company: CompanyId = member.company.id;
        let entry = member.entry(self, act);
        self.store
            .write::<_, StoreError, _, _>(company, move |tx: Tx| async move {
                let done = verb(tx.clone()).await?;
                orquiva_store::audit::add(&tx, company, &entry).await?;
                Ok(done)
            })
            .await
    }
}

//! What every page works with.

use std::ops::Deref;
use std::sync::Arc;

use orquiva_core::id::DepartmentId;
use orquiva_store::employee::Standing;
use orquiva_web::{App, Inside};
use tokio::sync::Semaphore;

use crate::gate::Gate;
use crate::kept::Kept;
use crate::provider::{Door, Provider};

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
    /// The OpenID Connect provider, if there is one.
    pub(crate) door: Option<Door>,
    /// Who may still try to sign in from where.
    pub(crate) gate: Gate,
    /// Passwords are compared two at a time at most: each takes a core for a while, and 19 MiB.
    pub(crate) hashing: Semaphore,
    /// Files are taken two at a time at most.
    pub(crate) uploads: Semaphore,
    /// How many people are in each department.
    pub(crate) heads: Kept<Vec<(Option<DepartmentId>, i64)>>,
    /// Who stands at the top of each company's chart.
    pub(crate) tops: Kept<Vec<Standing>>,
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
    pub fn new(app: App, sign_up: SignUp, provider: Option<Provider>) -> Self {
        let door = provider.map(|provider| Door::new(provider, app.clock.clone()));
        let inside = Inside::new(app.clone());
        Self(Arc::new(Inner {
            app,
            inside,
            sign_up,
            door,
            gate: Gate::default(),
            hashing: Semaphore::new(2),
            uploads: Semaphore::new(2),
            heads: Kept::default(),
            tops: Kept::default(),
        }))
    }

    /// Whether browsers reach us over TLS: then cookies are for TLS alone.
    pub(crate) fn is_secure(&self) -> bool {
        self.public_url.starts_with("https://")
    }
}

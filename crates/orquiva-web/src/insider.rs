//! Someone in the console who asks the API from inside.

use orquiva_core::Scopes;
use orquiva_core::event::Actor;
use orquiva_core::id::CompanyId;

use crate::note::Note;

/// Who asks from inside.
#[derive(Clone, Debug)]
pub struct Insider {
    /// In which company.
    pub company: CompanyId,
    /// Who.
    pub actor: Actor,
    /// What they may do.
    pub scopes: Scopes,
    /// What the audit is told, if they change something.
    pub note: Option<Note>,
}

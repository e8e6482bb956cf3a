//! A statement: one text for both engines, or a pair where the hot path pays for two.

use std::borrow::Cow;
use std::sync::OnceLock;

use linkme::distributed_slice;

/// Every statement whose text is fixed, gathered by the linker: all are prepared at start, so a typo stops the boot.
#[distributed_slice]
pub(crate) static STATEMENTS: [Sql];

/// A statement.
pub(crate) struct Sql {
    postgres: Cow<'static, str>,
    sqlite: &'static str,
    numbered: OnceLock<String>,
}

impl Sql {
    /// A text that both engines understand.
    pub(crate) const fn both(text: &'static str) -> Self {
        Self { postgres: Cow::Borrowed(text), sqlite: text, numbered: OnceLock::new() }
    }

    /// Two texts that mean the same.
    pub(crate) const fn pair(sqlite: &'static str, postgres: &'static str) -> Self {
        Self { postgres: Cow::Borrowed(postgres), sqlite, numbered: OnceLock::new() }
    }

    /// A text made at run time: the filters of a list. `indexed by …` in it is for SQLite, which keeps no statistics and
    /// would rather go through all rows of a company; PostgreSQL finds its way by itself.
    pub(crate) fn made(text: String) -> Self {
        let numbered = OnceLock::from(number(&text));
        Self { postgres: Cow::Owned(without_hints(text)), sqlite: "", numbered }
    }

    /// For PostgreSQL.
    pub(crate) fn postgres(&self) -> &str {
        &self.postgres
    }

    /// For SQLite, where `$1` is a name and only `?1` is a number.
    pub(crate) fn sqlite(&self) -> &str {
        self.numbered.get_or_init(|| number(self.sqlite))
    }
}

fn without_hints(text: String) -> String {
    const HINT: &str = " indexed by ";
    if !text.contains(HINT) {
        return text;
    }
    let mut parts = text.split(HINT);
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let name = part.find([' ', ')', '\n']).unwrap_or(part.len());
        plain.push_str(&part[name..]);
    }
    plain
}

fn number(text: &str) -> String {
    text.replace('$', "?")
}

/// A statement that is prepared at start: `sql!("…")`, or `sql!(sqlite "…", postgres "…")`.
macro_rules! sql {
    ($both:literal) => { $crate::sql::sql!(@ $crate::sql::Sql::both($both)) };
    (sqlite $sqlite:literal, postgres $postgres:literal) => {
        $crate::sql::sql!(@ $crate::sql::Sql::pair($sqlite, $postgres))
    };
    (@ $sql:expr) => {{
        #[expect(unsafe_code, reason = "linkme gathers statics in a section of the linker's; no code of ours is unsafe")]
        #[linkme::distributed_slice($crate::sql::STATEMENTS)]
        static STATEMENT: $crate::sql::Sql = $sql;
        &STATEMENT
    }};
}
pub(crate) use sql;

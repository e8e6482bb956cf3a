//! The tenant and what it pays for.

use serde::Serialize;

use crate::Timestamp;
use crate::id::CompanyId;

/// A company: the tenant, whose people and events nobody else sees.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Company {
    /// Its id.
    pub id: CompanyId,
    /// As it calls itself.
    pub name: String,
    /// What it pays for.
    pub plan: Plan,
    /// Whether only `/v1/departments` creates departments; otherwise a hire into a new one does as well.
    pub closed_departments: bool,
    /// When it was created.
    pub created_at: Timestamp,
    /// Since when nobody may come in for it; its data stays.
    pub suspended_at: Option<Timestamp>,
}

/// What a company pays for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Plan {
    /// Anyone can start here.
    Free,
    /// 1,000 requests a minute.
    Pro,
    /// 10,000 requests a minute.
    Enterprise,
}

impl Plan {
    /// Every plan there is.
    pub const ALL: [Self; 3] = [Self::Free, Self::Pro, Self::Enterprise];

    /// Reads `free`, `pro` or `enterprise`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "free" => Some(Self::Free),
            "pro" => Some(Self::Pro),
            "enterprise" => Some(Self::Enterprise),
            _ => None,
        }
    }

    /// As it stands in JSON, SQL and the `RateLimit` header.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Pro => "pro",
            Self::Enterprise => "enterprise",
        }
    }

    /// Requests admitted in any 60 seconds, over all clients of the company.
    pub fn per_minute(self) -> u32 {
        match self {
            Self::Free => 100,
            Self::Pro => 1_000,
            Self::Enterprise => 10_000,
        }
    }

    /// Webhook endpoints that a company may have at once.
    pub const fn max_webhooks(self) -> i64 {
        match self {
            Self::Free => 5,
            Self::Pro => 50,
            Self::Enterprise => 500,
        }
    }

    /// Days that an event stays in the log, and its deliveries with it.
    pub fn event_days(self) -> i64 {
        match self {
            Self::Free => 30,
            Self::Pro => 90,
            Self::Enterprise => 400,
        }
    }

    /// Days that a delivery which arrived stays in the log; one that did not stays as long as its event.
    pub fn delivery_days(self) -> i64 {
        match self {
            Self::Free => 7,
            Self::Pro => 30,
            Self::Enterprise => 90,
        }
    }

    /// Event streams that a company may hold open at once on each node.
    pub fn max_streams(self) -> usize {
        match self {
            Self::Free => 5,
            Self::Pro => 50,
            Self::Enterprise => 1_000,
        }
    }
}

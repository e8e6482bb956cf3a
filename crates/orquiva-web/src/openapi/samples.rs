//! The ids and the moment that all examples share.

pub(super) const COMPANY: &str = "cmp_01KDVFA1008CR9TPWA4RSS4BJ6";

pub(super) const EMPLOYEE: &str = "emp_01KDVFA10P8CR9TPWA4RSS4BJ7";

pub(super) const DEPARTMENT: &str = "dep_01KDVFA1198CR9TPWA4RSS4BJ8";

pub(super) const EVENT: &str = "evt_01KDVFA1548CR9TPWA4RSS4BJ9";

pub(super) const WEBHOOK: &str = "whk_01KDVFA15R8CR9TPWA4RSS4BJA";

pub(super) const DELIVERY: &str = "dlv_01KDVFA16B8CR9TPWA4RSS4BJB";

pub(super) const REPLAY: &str = "rpl_01KDVFA17H8CR9TPWA4RSS4BJD";

pub(super) const CLIENT: &str = "cli_01KDVFA16Y8CR9TPWA4RSS4BJC";

pub(super) const MOMENT: &str = "2026-01-01T09:00:00.000Z";

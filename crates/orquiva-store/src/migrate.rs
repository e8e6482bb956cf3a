//! The schema: one list of steps, forward only, embedded in the binary and run at start under a lock.

/// The steps, in order. A step that was released is never edited: the next one mends it.
pub(crate) const STEPS: &[(i64, &str)] = &[
    (1, include_str!("../../../migrations/0001_start.sql")),
    (2, include_str!("../../../migrations/0002_delivery.sql")),
    (3, include_str!("../../../migrations/0003_replay.sql")),
    (4, include_str!("../../../migrations/0004_notice.sql")),
    (5, include_str!("../../../migrations/0005_console.sql")),
    (6, include_str!("../../../migrations/0006_import.sql")),
    (8, include_str!("../../../migrations/0008_second_factor.sql")),
    (10, include_str!("../../../migrations/0010_lane_changes.sql")),
    (11, include_str!("../../../migrations/0011_lane_holder.sql")),
    (12, include_str!("../../../migrations/0012_invitation.sql")),
    (13, include_str!("../../../migrations/0013_identity.sql")),
    (14, include_str!("../../../migrations/0014_lists.sql")),
];

/// Where the steps that were run are written down.
pub(crate) const LEDGER: &str = "create table if not exists schema_version (version bigint not null primary key, applied_at bigint not null)";

/// Those of [`STEPS`] that come after `version`; an error if the database is from a later Orquiva.
pub(crate) fn after(version: i64) -> Result<impl Iterator<Item = &'static (i64, &'static str)>, String> {
    let newest = STEPS.last().map_or(0, |(number, _)| *number);
    match version > newest {
        true => Err(format!(
            "the database has schema version {version}, this Orquiva knows up to {newest}: start a newer Orquiva"
        )),
        false => Ok(STEPS.iter().filter(move |(number, _)| *number > version)),
    }
}

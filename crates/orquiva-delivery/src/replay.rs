//! Replays at work: each that has to go on gets a part of the log looked at and put into its lane, one after the other,
//! so that a long one does not hold up a short one.

use orquiva_store::StoreError;
use orquiva_store::lane::Lane;
use orquiva_store::replay::progress::{self, Step};

use crate::parts::Parts;

/// Replays that are looked at together.
const TOGETHER: i64 = 64;

/// Goes on with every replay that is due, one step each; returns whether any came further, and the lanes that something
/// was put into.
pub(crate) async fn step(parts: &Parts) -> Result<(bool, Vec<Lane>), StoreError> {
    let now = parts.clock.steady();
    let due = {
        let tx = parts.store.read().await?;
        progress::due(&tx, now, TOGETHER).await?
    };
    let (mut moved, mut lanes) = (false, Vec::new());
    for (company, id) in due {
        let mint = parts.mint.clone();
        let advance = move |tx| async move { progress::advance(&tx, &mint, company, id, now).await };
        match parts.store.write(None, advance).await? {
            Step::Rests => {}
            Step::Moved => moved = true,
            Step::Queued(lane) => {
                moved = true;
                lanes.push(lane);
            }
        }
    }
    Ok((moved, lanes))
}

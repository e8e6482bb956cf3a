//! The numbers of each chart as a file.

use axum::extract::{Path, Query, State};
use axum::response::Response;

use super::{Known, mean};
use crate::console::Console;
use crate::member::Member;
use crate::sheet::{file, line};
use crate::sign_in::Asked;
use crate::stop::Stop;

/// One of the three tables.
pub(crate) async fn get(
    State(console): State<Console>,
    member: Member,
    Path(what): Path<String>,
    Query(asked): Asked,
) -> Result<Response, Stop> {
    let known = Known::of(&console, &member, &asked).await?;
    let lines: Vec<String> = match what.as_str() {
        "requests" => requests(&known),
        "clients" => clients(&known),
        "deliveries" => deliveries(&known),
        _ => return Err(Stop::NotFound),
    };
    let name = format!("{what}-{}-{}.csv", known.range.as_str(), console.clock.now().date());
    Ok(file(&name, lines))
}

fn requests(known: &Known) -> Vec<String> {
    let head = line(["start", "requests", "busiestMinute", "refused", "errors"]);
    let lines = known.spans.iter().map(|one| {
        let numbers = [one.requests, one.peak, one.refused, one.errors].map(|number| number.to_string());
        line([one.start.to_string()].into_iter().chain(numbers))
    });
    std::iter::once(head).chain(lines).collect()
}

fn clients(known: &Known) -> Vec<String> {
    let head = line(["clientId", "name", "requests", "busiestMinute", "refused", "errors"]);
    let lines = known.clients.iter().map(|used| {
        let one = &used.span;
        let numbers = [one.requests, one.peak, one.refused, one.errors].map(|number| number.to_string());
        line([used.id.to_string(), used.name.clone()].into_iter().chain(numbers))
    });
    std::iter::once(head).chain(lines).collect()
}

fn deliveries(known: &Known) -> Vec<String> {
    let head = line(["start", "delivered", "retried", "failed", "averageMs", "slowestMs"]);
    let lines = known.starts.iter().zip(&known.counts).map(|(start, one)| {
        let numbers = [one.delivered, one.retried, one.failed, mean(one), one.slowest];
        line([start.to_string()].into_iter().chain(numbers.map(|number| number.to_string())))
    });
    std::iter::once(head).chain(lines).collect()
}

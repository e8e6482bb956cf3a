//! People by the beginnings of their names, for the fields that name someone.

use axum::Json;
use axum::extract::{Query, State};
use serde_json::{Value, json};

use crate::console::Console;
use crate::member::Member;
use crate::next::escaped;
use crate::sign_in::Asked;
use crate::stop::Stop;

/// Up to eight people: e-mail and name of each.
pub(crate) async fn show(
    State(console): State<Console>,
    member: Member,
    Query(asked): Asked,
) -> Result<Json<Value>, Stop> {
    let q = asked.get("q").map_or("", |q| q.trim());
    let path = format!("/employees?limit=8&fields=fullName,email&q={}", escaped(q));
    let found = match console.inside.read(member.reads(), &path).await {
        Ok(reply) => reply.body,
        Err(refused) if matches!(refused.status(), 400 | 422) => Value::Null, // nothing to look for yet
        Err(refused) => return Err(refused.into()),
    };
    let people = found["data"].as_array().into_iter().flatten();
    Ok(Json(people.map(|one| json!({ "email": one["email"], "name": one["fullName"] })).collect()))
}

//! The verbs about the fields that a company adds, and what they mean for the values that people have.

use orquiva_core::custom_field::{
    self as custom, CustomField, CustomValues, MAX_FIELDS, NewCustomField, Values,
};
use orquiva_core::event::EventType;
use orquiva_core::{Employee, Fault};
use orquiva_store::employee::{Order, Sort};
use orquiva_store::{Tx, custom_field, employee, event};
use serde_json::Value;

use crate::pen::{Pen, Refusal, told_of};

/// How many people are held in memory at once when all who have a value are told of.
const AT_ONCE: i64 = 500;

/// Adds a field.
pub async fn create(tx: &Tx, pen: &Pen, shape: NewCustomField) -> Result<CustomField, Refusal> {
    if custom_field::count(tx, pen.company).await? >= MAX_FIELDS {
        return Err(Refusal::TooManyFields);
    }
    let created = CustomField { shape, version: 1, created_at: pen.now, updated_at: pen.now };
    custom_field::insert(tx, pen.company, &created).await?;
    Ok(created)
}

/// Changes a field by a merge patch (RFC 7396). A choice that someone has stays. When it becomes sensitive, or
/// is so no more, everyone who has a value changes with it, which is announced for each of them.
pub async fn change(
    tx: &Tx,
    pen: &Pen,
    slug: &str,
    patch: &Value,
    holds: impl FnOnce(&CustomField) -> bool,
) -> Result<CustomField, Refusal> {
    let before = custom_field::hold(tx, pen.company, slug).await?;
    if !holds(&before) {
        return Err(Refusal::Stale);
    }
    let shape = NewCustomField::patched(&before.shape, patch).map_err(Refusal::Fields)?;
    if shape == before.shape {
        return Ok(before);
    }
    keep_what_is_chosen(tx, pen, &before.shape, &shape).await?;
    let after = CustomField { shape, version: before.version + 1, updated_at: pen.now, ..before.clone() };
    custom_field::update(tx, pen.company, &after).await?;
    if after.shape.sensitive != before.shape.sensitive {
        rewrite(tx, pen, slug, |values| values.move_to(slug, after.shape.sensitive)).await?;
    }
    Ok(after)
}

/// Removes a field. While people have values of it that takes `force`; then their values go too, which is
/// announced for each of them.
pub async fn remove(
    tx: &Tx,
    pen: &Pen,
    slug: &str,
    force: bool,
    holds: impl FnOnce(&CustomField) -> bool,
) -> Result<(), Refusal> {
    let field = custom_field::hold(tx, pen.company, slug).await?;
    if !holds(&field) {
        return Err(Refusal::Stale);
    }
    if !force {
        match custom_field::count_values(tx, pen.company, slug).await? {
            0 => {}
            people => return Err(Refusal::FieldInUse { people }),
        }
    }
    custom_field::delete(tx, pen.company, slug).await?;
    rewrite(tx, pen, slug, |values| values.remove(slug)).await
}

/// The values that `wish` comes to, read by the company's fields, where `former` are those that were there.
/// The fields are read only if something is wished that was not there.
pub(crate) async fn read(
    tx: &Tx,
    pen: &Pen,
    wish: Values,
    former: CustomValues,
) -> Result<CustomValues, Refusal> {
    if wish == former.all() {
        return Ok(former);
    }
    let fields = custom_field::all_held(tx, pen.company).await?;
    let values = custom::read(&wish, &fields).map_err(Refusal::Fields)?;
    Ok(CustomValues::of(values, &fields))
}

/// Refuses to let choices vanish that people have.
async fn keep_what_is_chosen(
    tx: &Tx,
    pen: &Pen,
    before: &NewCustomField,
    after: &NewCustomField,
) -> Result<(), Refusal> {
    let kept = after.choices.as_deref().unwrap_or_default();
    let mut gone = before.choices.clone().unwrap_or_default();
    gone.retain(|choice| !kept.contains(choice));
    if gone.is_empty() {
        return Ok(());
    }
    let chosen = custom_field::chosen(tx, pen.company, &before.slug).await?;
    gone.retain(|choice| chosen.contains(choice));
    match gone.is_empty() {
        true => Ok(()),
        false => Err(Refusal::field("/choices", Fault::ChoiceInUse { choices: gone.join(", ") })),
    }
}

/// Changes the values of everyone who has one of this field, and announces it for each. Costs a handful of
/// statements for every few hundred people.
async fn rewrite(tx: &Tx, pen: &Pen, slug: &str, change: impl Fn(&mut CustomValues)) -> Result<(), Refusal> {
    if custom_field::touch_all(tx, pen.company, slug, pen.now).await? == 0 {
        return Ok(());
    }
    let filter = employee::Filter { with_value: Some(slug.to_owned()), ..employee::Filter::default() };
    let mut last = None;
    loop {
        let people =
            employee::list(tx, pen.company, &filter, Sort::default(), last.as_ref(), AT_ONCE).await?;
        let Some(person) = people.last() else { return Ok(()) };
        last = Some(Order::Id.place(person));
        let mut changed = people.clone();
        changed.iter_mut().for_each(|person| change(&mut person.custom_fields));
        custom_field::update_values(tx, &changed).await?;
        let told = |(after, before): (&Employee, &Employee)| {
            told_of(pen, EventType::EmployeeUpdated, after, Some(after.difference(before)))
        };
        let events: Vec<_> = changed.iter().zip(&people).map(told).collect();
        event::announce_all(tx, pen.company, &events).await?;
    }
}

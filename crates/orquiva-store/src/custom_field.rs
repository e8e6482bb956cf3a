//! The definitions of the fields that a company has added to its employees.

use orquiva_core::custom_field::{CustomField, CustomValues, FieldType, NewCustomField, Values};
use orquiva_core::id::CompanyId;
use orquiva_core::{Employee, Timestamp};

use crate::sql::sql;
use crate::{Arg, Row, StoreError, Tx, args};

/// Adds a field.
pub async fn insert(tx: &Tx, company: CompanyId, field: &CustomField) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into custom_field
            (company_id, slug, label, type, choices, sensitive, version, updated_at, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
    );
    let mut args = columns(company, field)?;
    args.push(field.created_at.into());
    tx.run(sql, &args).await.map(drop)
}

/// Stores a field over its former self.
pub async fn update(tx: &Tx, company: CompanyId, field: &CustomField) -> Result<(), StoreError> {
    let sql = sql!(
        "update custom_field set label = $3, type = $4, choices = $5, sensitive = $6, version = $7, updated_at = $8
          where company_id = $1 and slug = $2"
    );
    tx.run(sql, &columns(company, field)?).await.map(drop)
}

/// Removes a field. Its values are the caller's affair.
pub async fn delete(tx: &Tx, company: CompanyId, slug: &str) -> Result<(), StoreError> {
    let sql = sql!("delete from custom_field where company_id = $1 and slug = $2");
    tx.run(sql, args![company, slug]).await.map(drop)
}

/// How many fields a company has.
pub async fn count(tx: &Tx, company: CompanyId) -> Result<i64, StoreError> {
    let sql = sql!("select count(*) from custom_field where company_id = $1");
    tx.first(sql, args![company], |row| row.int(0)).await.map(Option::unwrap_or_default)
}

/// One field.
pub async fn get(tx: &Tx, company: CompanyId, slug: &str) -> Result<CustomField, StoreError> {
    let sql = sql!(
        "select slug, label, type, choices, sensitive, version, created_at, updated_at
           from custom_field where company_id = $1 and slug = $2"
    );
    tx.first(sql, args![company, slug], read).await?.ok_or(StoreError::NotFound)
}

/// One field, which nobody else changes, and of which nobody writes a value, until the transaction ends.
pub async fn hold(tx: &Tx, company: CompanyId, slug: &str) -> Result<CustomField, StoreError> {
    // SQLite has one writer.
    let sql = sql!(
        sqlite "select slug, label, type, choices, sensitive, version, created_at, updated_at
                  from custom_field where company_id = $1 and slug = $2",
        postgres "select slug, label, type, choices, sensitive, version, created_at, updated_at
                    from custom_field where company_id = $1 and slug = $2 for update"
    );
    tx.first(sql, args![company, slug], read).await?.ok_or(StoreError::NotFound)
}

/// All fields of a company, by slug. They stay as they are until the transaction ends, so that what is written
/// by them is right when it is there.
pub async fn all_held(tx: &Tx, company: CompanyId) -> Result<Vec<CustomField>, StoreError> {
    let sql = sql!(
        sqlite "select slug, label, type, choices, sensitive, version, created_at, updated_at
                  from custom_field where company_id = $1 order by slug",
        postgres "select slug, label, type, choices, sensitive, version, created_at, updated_at
                    from custom_field where company_id = $1 order by slug for share"
    );
    tx.all(sql, args![company], read).await
}

/// Up to `limit` fields of a company by slug, after `after`.
pub async fn list(
    tx: &Tx,
    company: CompanyId,
    after: &str,
    limit: i64,
) -> Result<Vec<CustomField>, StoreError> {
    let sql = sql!(
        "select slug, label, type, choices, sensitive, version, created_at, updated_at
           from custom_field where company_id = $1 and slug > $2 order by slug limit $3"
    );
    tx.all(sql, args![company, after, limit], read).await
}

/// The slugs of those fields of a company whose values only some may see.
pub async fn sensitive(tx: &Tx, company: CompanyId) -> Result<Vec<String>, StoreError> {
    let sql = sql!("select slug from custom_field where company_id = $1 and sensitive = 1 order by slug");
    tx.all(sql, args![company], |row| row.text(0)).await
}

/// Which choices of a field employees have.
pub async fn chosen(tx: &Tx, company: CompanyId, slug: &str) -> Result<Vec<String>, StoreError> {
    let sql = sql!(
        sqlite "select distinct coalesce(custom_fields ->> $2, sensitive_custom_fields ->> $2) as chosen
                  from employee where company_id = $1
                   and coalesce(custom_fields ->> $2, sensitive_custom_fields ->> $2) is not null
                 order by chosen",
        postgres "select distinct coalesce(custom_fields::json ->> $2, sensitive_custom_fields::json ->> $2) as chosen
                    from employee where company_id = $1
                     and coalesce(custom_fields::json ->> $2, sensitive_custom_fields::json ->> $2) is not null
                   order by chosen"
    );
    tx.all(sql, args![company, slug], |row| row.text(0)).await
}

/// How many people have a value of a field.
pub async fn count_values(tx: &Tx, company: CompanyId, slug: &str) -> Result<i64, StoreError> {
    let sql = sql!(
        "select count(*) from employee
          where company_id = $1 and (custom_fields like $2 escape '!' or sensitive_custom_fields like $2 escape '!')"
    );
    tx.first(sql, args![company, pattern(slug)], |row| row.int(0)).await.map(Option::unwrap_or_default)
}

/// Counts a change for everyone who has a value of a field, which keeps others from changing them until the
/// transaction ends; returns how many they are.
pub async fn touch_all(tx: &Tx, company: CompanyId, slug: &str, now: Timestamp) -> Result<u64, StoreError> {
    let sql = sql!(
        "update employee set version = version + 1, updated_at = $3
          where company_id = $1 and (custom_fields like $2 escape '!' or sensitive_custom_fields like $2 escape '!')"
    );
    tx.run(sql, args![company, pattern(slug), now]).await
}

/// Stores the values of each of `people`, without waiting between them.
pub async fn update_values(tx: &Tx, people: &[Employee]) -> Result<(), StoreError> {
    let sql = sql!(
        "update employee set custom_fields = $3, sensitive_custom_fields = $4 where company_id = $1 and id = $2"
    );
    let row = |person: &Employee| {
        let CustomValues { open, sensitive } = &person.custom_fields;
        args![person.company_id, person.id, stored(open), stored(sensitive)].to_vec()
    };
    tx.run_each(sql, &people.iter().map(row).collect::<Vec<_>>()).await
}

/// Values as a column keeps them: nothing if there are none.
pub(crate) fn stored(values: &Values) -> Option<String> {
    (!values.is_empty()).then(|| serde_json::to_string(values).expect("a map of values is always JSON"))
}

/// What `like … escape '!'` finds values of a field by. In our JSON a quotation mark within a text stands after a
/// backslash, so nothing else looks so.
pub(crate) fn pattern(slug: &str) -> String {
    format!("%\"{}\":%", slug.replace('_', "!_"))
}

/// The columns that insert and update share.
fn columns(company: CompanyId, field: &CustomField) -> Result<Vec<Arg<'_>>, StoreError> {
    let NewCustomField { slug, label, kind, choices, sensitive } = &field.shape;
    let choices = choices.as_ref().map(serde_json::to_string).transpose().map_err(StoreError::broken)?;
    Ok(args![
        company,
        slug,
        label,
        kind.as_str(),
        choices,
        i64::from(*sensitive),
        field.version,
        field.updated_at,
    ]
    .to_vec())
}

fn read(row: &Row<'_>) -> Result<CustomField, StoreError> {
    let kind = row.text(2)?;
    let choices = row.opt_text(3)?;
    Ok(CustomField {
        shape: NewCustomField {
            slug: row.text(0)?,
            label: row.text(1)?,
            kind: FieldType::parse(&kind)
                .ok_or_else(|| StoreError::broken(format!("`{kind}` is no type of a field")))?,
            choices: choices
                .map(|text| serde_json::from_str(&text))
                .transpose()
                .map_err(StoreError::broken)?,
            sensitive: row.int(4)? != 0,
        },
        version: row.int(5)?,
        created_at: row.time(6)?,
        updated_at: row.time(7)?,
    })
}

//! The words by whose beginnings people are found. They stand in a table of their own, from which a rare word leads
//! to its few people, and in the person's row, where a common one is looked at on the way.

use std::collections::BTreeSet;

use orquiva_core::Employee;
use orquiva_core::id::{CompanyId, EmployeeId};

use crate::sql::sql;
use crate::{StoreError, Tx, args};

/// A word that begins this many words of a company is common: most people on the way will do.
const COMMON: i64 = 2000;

/// Notes the words of some employees as ways to find them: one statement, however many they are.
pub(super) async fn insert(
    tx: &Tx,
    company: CompanyId,
    mut rows: Vec<(&String, EmployeeId)>,
) -> Result<(), StoreError> {
    rows.sort_unstable(); // in the order of the table: one page after the other
    if rows.is_empty() {
        return Ok(());
    }
    let sql = sql!(
        sqlite "insert into employee_word (company_id, word, employee_id)
                select $1, value ->> 0, value ->> 1 from json_each($2)",
        postgres "insert into employee_word (company_id, word, employee_id)
                  select $1, pair ->> 0, pair ->> 1 from json_array_elements($2::text::json) as pairs (pair)"
    );
    let rows = serde_json::to_string(&rows).map_err(StoreError::broken)?;
    tx.run(sql, args![company, rows]).await.map(drop)
}

/// Forgets `words` as ways to find `employee`.
pub(super) async fn delete(
    tx: &Tx,
    employee: &Employee,
    words: impl IntoIterator<Item = &String>,
) -> Result<(), StoreError> {
    let Some(words) = as_json(words) else { return Ok(()) };
    let sql = sql!(
        sqlite "delete from employee_word
                 where company_id = $1 and employee_id = $2 and word in (select value from json_each($3))",
        postgres "delete from employee_word
                   where company_id = $1 and employee_id = $2
                     and word = any (array(select json_array_elements_text($3::text::json)))"
    );
    tx.run(sql, args![employee.company_id, employee.id, words]).await.map(drop)
}

/// Which of `asked` leads to the fewest people; none if all of them are common.
pub(super) async fn rarest<'a>(
    tx: &Tx,
    company: CompanyId,
    asked: &'a BTreeSet<String>,
) -> Result<Option<&'a String>, StoreError> {
    let sql = sql!(
        "select count(*) from (select word from employee_word
           where company_id = $1 and word >= $2 and word < $3 limit $4) found"
    );
    let mut rarest = (COMMON, None);
    for word in asked {
        let args = args![company, word, after(word), rarest.0];
        let found = tx.first(sql, args, |row| row.int(0)).await?.unwrap_or(0);
        if found < rarest.0 {
            rarest = (found, Some(word));
        }
    }
    Ok(rarest.1)
}

/// What comes after all that begins with `word`, by bytes.
pub(super) fn after(word: &str) -> String {
    format!("{word}{}", char::MAX)
}

/// The words as they stand in the person's row, each after a space.
pub(super) fn in_row(words: &BTreeSet<String>) -> String {
    words.iter().flat_map(|word| [" ", word]).collect()
}

/// The pattern that finds a word which begins with `word` in such a row.
pub(super) fn pattern(word: &str) -> String {
    let mut pattern = String::from("% ");
    for letter in word.chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

fn as_json<'a>(words: impl IntoIterator<Item = &'a String>) -> Option<String> {
    let words: Vec<_> = words.into_iter().collect();
    (!words.is_empty()).then(|| serde_json::to_string(&words).expect("texts are always JSON"))
}

//! Rows in bulk, past the product, in the words of both engines.

use anyhow::Context as _;

use crate::postgres;
use crate::server::Database;

/// Runs `statements` over the companies that `which` selects. In each, `person` has a row for each company (`company`) and
/// each number under `count` (`i`), and `{pad:26:i}` is a number with zeros before it.
pub(crate) async fn fill(
    database: &Database,
    which: &str,
    count: u64,
    statements: &[&str],
) -> anyhow::Result<()> {
    let temporary = format!("create temporary table filled as {which}");
    match database.url() {
        Ok(url) => {
            let client = postgres::client(url).await?;
            client.batch_execute(&temporary).await?;
            let numbers = format!("n (i) as (select generate_series(0, {count} - 1))");
            for text in statements {
                let text = whole(text, &numbers, |width, what| format!("lpad(({what})::text, {width}, '0')"));
                client.batch_execute(&text).await.with_context(|| text.clone())?;
            }
        }
        Err(_) => {
            let connection = rusqlite::Connection::open(database.file())?;
            // What is lost if the machine fails meanwhile is made again.
            connection.execute_batch("pragma synchronous = off; pragma cache_size = -1000000; begin")?;
            connection.execute_batch(&temporary)?;
            let numbers = format!(
                "recursive n (i) as (select 0 where {count} > 0 union all select i + 1 from n where i < {count} - 1)"
            );
            for text in statements {
                let text = whole(text, &numbers, |width, what| format!("printf('%0{width}d', {what})"));
                connection.execute_batch(&text).with_context(|| text.clone())?;
            }
            connection.execute_batch("commit; pragma wal_checkpoint(truncate)")?;
        }
    }
    Ok(())
}

/// The statement with its numbers, and with what stands for `{pad:…}`.
fn whole(text: &str, numbers: &str, pad: impl Fn(&str, &str) -> String) -> String {
    let mut parts = text.split("{pad:");
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (inner, rest) = part.split_once('}').unwrap_or_default();
        let (width, what) = inner.split_once(':').unwrap_or_default();
        whole.push_str(&pad(width, what));
        whole.push_str(rest);
    }
    match whole.split_once("select ") {
        Some((insert, select)) if insert.starts_with("insert ") => {
            let with =
                format!("with {numbers}, person (company, i) as (select id, i from filled cross join n)");
            format!("{insert} {with} select {select}")
        }
        _ => whole,
    }
}

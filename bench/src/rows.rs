//! The least work that stores the same: the rows of a hire, written without a server in front of the database.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::types::Value;

use crate::bench::HIRING;
use crate::load::CLIENTS;
use crate::machine::now;
use crate::server::Database;

/// The rows of a hire as the product wrote them, to be written again with new keys.
pub(crate) struct Rows(Vec<Table>);

struct Table {
    name: &'static str,
    columns: Vec<(String, Value)>,
}

/// What each hire has of its own.
const UNIQUE: &[(&str, &str)] = &[
    ("employee", "id"),
    ("employee", "email"),
    ("employee", "email_key"),
    ("event", "id"),
    ("idempotency", "key"),
];

/// One row of each table that a hire writes to.
const TABLES: &[(&str, &str)] = &[
    ("employee", "select * from employee limit 1"),
    ("event", "select * from event where type = 'employee.created' limit 1"),
    ("idempotency", "select * from idempotency limit 1"),
];

impl Rows {
    /// Reads them out of a database in which somebody was hired.
    pub(crate) async fn read(database: &Database) -> anyhow::Result<Self> {
        let mut tables = Vec::new();
        for (name, sql) in TABLES {
            let mut columns = match database.is_embedded() {
                true => sqlite_row(&database.file(), sql)?,
                false => postgres_row(database, sql).await?,
            };
            // The database numbers the one; the router gives the other later.
            columns
                .retain(|(column, _)| !(*name == "event" && ["position", "sequence"].contains(&&**column)));
            tables.push(Table { name, columns });
        }
        Ok(Self(tables))
    }

    /// Inserts them into the embedded database with one thread, `group` hires a transaction, for `time`;
    /// returns how many hires, and how long it took.
    pub(crate) fn insert(
        &self,
        file: &Path,
        base: u64,
        group: u64,
        time: Duration,
    ) -> anyhow::Result<(u64, Duration)> {
        let connection = rusqlite::Connection::open(file)?;
        // As the product has it.
        for (name, value) in [("journal_mode", "wal"), ("synchronous", "full"), ("temp_store", "memory")] {
            connection.pragma_update(None, name, value)?;
        }
        connection.pragma_update(None, "cache_size", -32 * 1024)?;
        connection.pragma_update(None, "wal_autocheckpoint", 4096)?;
        let mut statements = Vec::new();
        for table in &self.0 {
            let marks = vec!["?"; table.columns.len()].join(", ");
            let sql = format!("insert into {} ({}) values ({marks})", table.name, table.names());
            statements.push((table, connection.prepare(&sql)?));
        }
        let (start, mut number) = (now(), base);
        while start.elapsed() < time {
            connection.execute_batch("begin immediate")?;
            for _ in 0..group {
                number += 1;
                for (table, statement) in &mut statements {
                    statement.execute(rusqlite::params_from_iter(table.values(number)))?;
                }
            }
            connection.execute_batch("commit")?;
        }
        Ok((number - base, start.elapsed()))
    }

    /// Writes the script by which pgbench inserts them, all in one statement.
    pub(crate) fn pgbench_script(&self, folder: &Path) -> anyhow::Result<PathBuf> {
        let file = folder.join("hire.sql");
        std::fs::write(&file, self.script())?;
        Ok(file)
    }

    fn script(&self) -> String {
        let mut text = format!(
            "\\set turn :turn + 1\n\\set n :base + :turn * {CLIENTS} + :client_id\n\\set company :n % {HIRING}\nwith "
        );
        for (at, table) in self.0.iter().enumerate() {
            let values: Vec<_> =
                table.columns.iter().map(|(column, value)| table.literal(column, value)).collect();
            let (name, columns, values) = (table.name, table.names(), values.join(", "));
            let comma = if at == 0 { "" } else { ", " };
            text.push_str(&format!("{comma}i{at} as (insert into {name} ({columns}) values ({values}))"));
        }
        text.push_str(" select 1;\n");
        text
    }
}

impl Table {
    fn names(&self) -> String {
        self.columns.iter().map(|(column, _)| column.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// What is new in this column: the first letters stay, and then so many digits.
    fn varies(&self, column: &str, value: &Value) -> Option<(String, usize)> {
        let Value::Text(text) = value else { return None };
        let varies = column == "company_id" || UNIQUE.contains(&(self.name, column));
        varies.then(|| (text[..4].to_owned(), text.len() - 4))
    }

    fn values(&self, number: u64) -> impl Iterator<Item = Value> {
        self.columns.iter().map(move |(column, value)| match self.varies(column, value) {
            Some((letters, width)) if column == "company_id" => {
                Value::Text(format!("{letters}{:0width$}", number as usize % HIRING))
            }
            Some((letters, width)) => Value::Text(format!("{letters}{number:0width$}")),
            None => value.clone(),
        })
    }

    fn literal(&self, column: &str, value: &Value) -> String {
        if let Some((letters, width)) = self.varies(column, value) {
            let number = if column == "company_id" { ":company" } else { ":n" };
            return format!("'{letters}' || lpad({number}, {width}, '0')");
        }
        match value {
            Value::Null => "null".to_owned(),
            Value::Integer(number) => number.to_string(),
            Value::Real(number) => number.to_string(),
            // A colon would be read as one of pgbench's variables.
            Value::Text(text) => {
                format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''").replace(':', "\\x3A"))
            }
            Value::Blob(bytes) => {
                let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                format!("'\\x{digits}'")
            }
        }
    }
}

fn sqlite_row(file: &Path, sql: &str) -> anyhow::Result<Vec<(String, Value)>> {
    let connection = rusqlite::Connection::open(file)?;
    let mut statement = connection.prepare(sql)?;
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let values =
        |row: &rusqlite::Row<'_>| (0..names.len()).map(|at| row.get(at)).collect::<Result<Vec<Value>, _>>();
    let row = statement.query_row([], values)?;
    Ok(names.iter().cloned().zip(row).collect())
}

async fn postgres_row(database: &Database, sql: &str) -> anyhow::Result<Vec<(String, Value)>> {
    let client = crate::postgres::client(database.url()?).await?;
    let row = client.query_one(sql, &[]).await?;
    let mut columns = Vec::new();
    for (at, column) in row.columns().iter().enumerate() {
        let value = match column.type_().name() {
            "int8" => row.get::<_, Option<i64>>(at).map(Value::Integer),
            "text" => row.get::<_, Option<String>>(at).map(Value::Text),
            "bytea" => row.get::<_, Option<Vec<u8>>>(at).map(Value::Blob),
            other => anyhow::bail!("the column {} has the type {other}, which is new here", column.name()),
        };
        columns.push((column.name().to_owned(), value.unwrap_or(Value::Null)));
    }
    Ok(columns)
}

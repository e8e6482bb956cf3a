//! Everything that a product has stored, to see that something left it as it was.

use std::collections::BTreeSet;

use rusqlite::types::Value;

use crate::harness::{Database, Orquiva};

impl Orquiva {
    /// Every row of every table.
    pub(crate) async fn dump(&self) -> BTreeSet<String> {
        match &self.database {
            Database::File(folder) => {
                let file = rusqlite::Connection::open(folder.path().join("orquiva.db")).unwrap();
                tables(&file).iter().flat_map(|table| rows(&file, table)).collect()
            }
            Database::Server(_) => {
                let client = self.postgres().await;
                let sql = "select tablename from pg_tables where schemaname = current_schema()";
                let names = client.query(sql, &[]).await.unwrap();
                let names = names.iter().map(|row| row.get::<_, String>(0));
                let parts: Vec<_> =
                    names.map(|name| format!("select '{name} ' || t::text from \"{name}\" t")).collect();
                let rows = client.query(&parts.join(" union all "), &[]).await.unwrap();
                rows.iter().map(|row| row.get(0)).collect()
            }
        }
    }
}

fn tables(file: &rusqlite::Connection) -> Vec<String> {
    let sql = "select name from sqlite_master where type = 'table' and name not like 'sqlite_%'";
    let mut tables = file.prepare(sql).unwrap();
    tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

fn rows(file: &rusqlite::Connection, table: &str) -> Vec<String> {
    let mut all = file.prepare(&format!("select * from \"{table}\"")).unwrap();
    let columns = all.column_count();
    let read = |row: &rusqlite::Row<'_>| {
        let values = (0..columns).map(|column| row.get::<_, Value>(column));
        values.collect::<Result<Vec<_>, _>>().map(|values| format!("{table} {values:?}"))
    };
    all.query_map([], read).unwrap().map(Result::unwrap).collect()
}

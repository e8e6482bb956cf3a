//! Whoever can write to the database past us.

use crate::harness::{Database, Orquiva};

impl Orquiva {
    /// Does something in the database that nothing of ours would do.
    pub(crate) async fn tamper(&self, sql: &str) {
        match &self.database {
            Database::File(folder) => {
                let file = rusqlite::Connection::open(folder.path().join("orquiva.db")).unwrap();
                file.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
                file.execute_batch(sql).unwrap();
            }
            Database::Server(url) => {
                let (client, connection) =
                    tokio_postgres::connect(url, tokio_postgres::NoTls).await.expect("PostgreSQL is up");
                let driver = tokio::spawn(connection);
                client.batch_execute(sql).await.unwrap();
                drop(client);
                driver.await.unwrap().unwrap();
            }
        }
    }
}

//! SQL statements a delivery, as PostgreSQL counts them.

use std::time::Duration;

use anyhow::{Context as _, ensure};

use crate::bench::Bench;
use crate::lab::Lab;
use crate::postgres;
use crate::receiver::Receiver;
use crate::table::Row;

/// Companies with ten endpoints.
const COMPANIES: usize = 16;

/// Statements that name what deliveries are kept in, or give events their place; `begin` and `commit` are not counted.
const DELIVERING: &str =
    "query ~ '(delivery|attempt|lane|webhook|sequence)' and query !~ 'insert into employee'";

/// Counts while people are hired in companies with ten endpoints.
pub(crate) async fn statements(bench: &mut Bench) -> anyhow::Result<Vec<Row>> {
    if bench.is_embedded() {
        return Ok(Vec::new());
    }
    let lab = Lab::start(&bench.place, COMPANIES).await?;
    let mut receiver = Receiver::start(COMPANIES * 10).await?;
    for endpoint in 0..COMPANIES * 10 {
        let url = format!("http://127.0.0.1:{}/{endpoint}", receiver.ports[endpoint]);
        lab.subscribe(endpoint / 10, &url).await?;
    }
    let client = postgres::client(lab.database.url()?).await?;
    let counting = client.batch_execute("create extension pg_stat_statements").await;
    counting.context("PostgreSQL cannot count statements: pg_stat_statements is not there")?;
    client.batch_execute("select pg_stat_statements_reset()").await?;
    let most = 2_500 * bench.pace.seconds;
    let done = lab.hire_at_once(lab.hires_in(0..COMPANIES), bench.pace.time(), most).await?;
    let owed = done.answers * 10;
    while receiver.counts().await?.distinct < owed {
        ensure!(receiver.counts().await?.quiet < Duration::from_secs(30), "not all of {owed} arrived");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    lab.database.settle("delivery", "state = 'waiting'").await?;
    let count = async |so: &str| -> anyhow::Result<f64> {
        let of_this = "dbid = (select oid from pg_database where datname = current_database())";
        let sql = format!(
            "select coalesce(sum(calls), 0)::bigint from pg_stat_statements where {of_this} and {so}"
        );
        Ok(client.query_one(&sql, &[]).await?.get::<_, i64>(0) as f64 / owed as f64)
    };
    let (delivering, all) = (count(DELIVERING).await?, count("query !~* '^(begin|commit|start)'").await?);
    let text = format!("{delivering:.2} (with those of the hires: {all:.2})");
    eprintln!("  {text}");
    let row = Row::figure("SQL statements a delivery, 10 endpoints a company", text);
    Ok(vec![row.target("≤ 0.5", delivering <= 0.5)])
}

//! A database full of people, written in bulk past the product: what is read is what counts here.

use anyhow::Context as _;

use crate::bench::Place;
use crate::load::{Connection, request};
use crate::postgres;
use crate::server::{Account, Database, Server, create_accounts, fetch_tokens};

/// People of each company.
pub(crate) const COMPANY: u64 = 100;

/// A server over a database full of people.
pub(crate) struct Crowd {
    pub(crate) server: Server,
    database: Database,
    accounts: Vec<Account>,
    /// Of the one company that is larger.
    pub(crate) large: Option<Account>,
}

/// A person `i` of a company: the same name and one of four departments as many others, a number of their own.
const PEOPLE: &[&str] = &[
    "insert into department (company_id, id, name, name_key, lead_ids, version, created_at, updated_at)
     select company, 'dep_' || {pad:i}, case i when 0 then 'Ventas' else 'Equipo ' || i end,
        case i when 0 then 'ventas' else 'equipo ' || i end, '[]', 1, 1, 1 from person where i < 4",
    "insert into employee (company_id, id, full_name, email, email_key, employee_number, status, start_date, job_title,
        employment_type, department_id, external_refs, version, created_at, updated_at, name_key, words)
     select company, 'emp_' || {pad:i}, 'Ana Ruiz', 'p' || i || '@example.com', 'p' || i || '@example.com', '' || i,
        case i % 10 when 0 then 'on_leave' else 'active' end, '2026-01-12', 'Comercial', 'full_time',
        'dep_' || {pad:(i % 4)}, '{\"sap\":\"' || i || '\"}', 1, 1767225600000 + i, 1767225600000 + i, 'ana ruiz',
        ' ana p' || {pad:i} || ' ruiz' from person",
    "insert into external_ref (company_id, system, value, employee_id)
     select company, 'sap', '' || i, 'emp_' || {pad:i} from person",
    "insert into employee_word (company_id, word, employee_id)
     select company, word, 'emp_' || {pad:i}
       from person cross join (select 0 k, 'ana' word union all select 1, 'ruiz') words",
    "insert into employee_word (company_id, word, employee_id)
     select company, 'p' || {pad:i}, 'emp_' || {pad:i} from person",
];

impl Crowd {
    /// Fills `companies` of [`COMPANY`] people each and, if `large` is not 0, one more of so many.
    pub(crate) async fn gather(place: &Place, companies: u64, large: u64) -> anyhow::Result<Self> {
        let database = Database::make(place).await?;
        let mut accounts = create_accounts(&database.open().await?, usize::try_from(companies)?).await?;
        fill(&database, COMPANY).await?;
        let mut one = match large {
            0 => Vec::new(),
            _ => create_accounts(&database.open().await?, 1).await?,
        };
        fill(&database, large).await?;
        if let Ok(url) = database.url() {
            postgres::client(url).await?.batch_execute("vacuum analyze").await?;
        }
        let server = Server::start(&place.program, &database).await?;
        let every = accounts.len().div_ceil(64);
        let mut spread: Vec<_> = accounts.drain(..).step_by(every).collect();
        fetch_tokens(server.at, &mut spread).await?;
        fetch_tokens(server.at, &mut one).await?;
        Ok(Self { server, database, accounts: spread, large: one.pop() })
    }

    /// Up to `count` companies, evenly spread over all.
    pub(crate) fn spread(&self, count: usize) -> Vec<&Account> {
        self.accounts.iter().take(count).collect()
    }

    /// Number and id of someone in a company.
    pub(crate) async fn someone(&self, account: &Account) -> anyhow::Result<(String, String)> {
        let list = request("GET", "/v1/employees?limit=7", &account.token, "", "");
        let list = Connection::open(self.server.at).await?.call(&list, 200).await;
        let list = list.with_context(|| format!("in {}", self.database.folder().display()))?;
        let person = &list["data"][6];
        let text = |name: &str| person[name].as_str().map(str::to_owned).context("a person");
        Ok((text("employeeNumber")?, text("id")?))
    }
}

/// Gives every company that has nobody `people` people.
async fn fill(database: &Database, people: u64) -> anyhow::Result<()> {
    let fill = |numbers: &str, pad: fn(&str) -> String, text: &str| {
        let mut text = text.to_owned();
        for what in ["i", "(i % 4)"] {
            text = text.replace(&format!("{{pad:{what}}}"), &pad(what));
        }
        let head = "insert into nobody select c.id from company c
                     where not exists (select 1 from employee e where e.company_id = c.id)";
        let (insert, select) = text.split_once("select ").unwrap_or_default();
        let with = format!("with {numbers}, person (company, i) as (select id, i from nobody cross join n)");
        (head, format!("{insert} {with} select {select}"))
    };
    let temporary = "create temporary table nobody (id text)";
    match database.url() {
        Ok(url) => {
            let client = postgres::client(url).await?;
            client.batch_execute(temporary).await?;
            let numbers = format!("n (i) as (select generate_series(0, {people} - 1))");
            for (at, text) in PEOPLE.iter().enumerate() {
                let (head, text) = fill(&numbers, |what| format!("lpad({what}::text, 26, '0')"), text);
                if at == 0 {
                    client.batch_execute(head).await?;
                }
                client.batch_execute(&text).await.with_context(|| text.clone())?;
            }
        }
        Err(_) => {
            let connection = rusqlite::Connection::open(database.file())?;
            // What is lost if the machine fails meanwhile is made again.
            connection.execute_batch("pragma synchronous = off; pragma cache_size = -1000000; begin")?;
            connection.execute_batch(temporary)?;
            let numbers = format!(
                "recursive n (i) as (select 0 where {people} > 0 union all select i + 1 from n where i < {people} - 1)"
            );
            for (at, text) in PEOPLE.iter().enumerate() {
                let (head, text) = fill(&numbers, |what| format!("printf('%026d', {what})"), text);
                if at == 0 {
                    connection.execute_batch(head)?;
                }
                connection.execute_batch(&text).with_context(|| text.clone())?;
            }
            connection.execute_batch("commit; pragma wal_checkpoint(truncate)")?;
        }
    }
    Ok(())
}

//! A database full of people, written in bulk past the product: what is read is what counts here.

use anyhow::Context as _;

use crate::bench::Place;
use crate::fill::fill;
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

/// The companies that have nobody.
const NOBODY: &str =
    "select c.id from company c where not exists (select 1 from employee e where e.company_id = c.id)";

/// A person `i` of a company: the same name and one of four departments as many others, a number of their own.
const PEOPLE: &[&str] = &[
    "insert into department (company_id, id, name, name_key, lead_ids, version, created_at, updated_at)
     select company, 'dep_' || {pad:26:i}, case i when 0 then 'Ventas' else 'Equipo ' || i end,
        case i when 0 then 'ventas' else 'equipo ' || i end, '[]', 1, 1, 1 from person where i < 4",
    "insert into employee (company_id, id, full_name, email, email_key, employee_number, status, start_date, job_title,
        employment_type, department_id, external_refs, version, created_at, updated_at, name_key, words)
     select company, 'emp_' || {pad:26:i}, 'Ana Ruiz', 'p' || i || '@example.com', 'p' || i || '@example.com', '' || i,
        case i % 10 when 0 then 'on_leave' else 'active' end, '2026-01-12', 'Comercial', 'full_time',
        'dep_' || {pad:26:i % 4}, '{\"sap\":\"' || i || '\"}', 1, 1767225600000 + i, 1767225600000 + i, 'ana ruiz',
        ' ana p' || {pad:26:i} || ' ruiz' from person",
    "insert into external_ref (company_id, system, value, employee_id)
     select company, 'sap', '' || i, 'emp_' || {pad:26:i} from person",
    "insert into employee_word (company_id, word, employee_id)
     select company, word, 'emp_' || {pad:26:i}
       from person cross join (select 0 k, 'ana' word union all select 1, 'ruiz') words",
    "insert into employee_word (company_id, word, employee_id)
     select company, 'p' || {pad:26:i}, 'emp_' || {pad:26:i} from person",
];

impl Crowd {
    /// Fills `companies` of [`COMPANY`] people each and, if `large` is not 0, one more of so many.
    pub(crate) async fn gather(place: &Place, companies: u64, large: u64) -> anyhow::Result<Self> {
        let database = Database::make(place).await?;
        let mut accounts = create_accounts(&database.open().await?, usize::try_from(companies)?).await?;
        fill(&database, NOBODY, COMPANY, PEOPLE).await?;
        let mut one = match large {
            0 => Vec::new(),
            _ => create_accounts(&database.open().await?, 1).await?,
        };
        fill(&database, NOBODY, large, PEOPLE).await?;
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

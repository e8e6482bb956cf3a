//! The console over a company of 100,000 people with a million deliveries: how soon each page is there, and what it weighs.

use std::collections::BTreeSet;

use anyhow::{Context as _, ensure};
use serde_json::json;

use crate::bench::Place;
use crate::fill::fill;
use crate::load::{Connection, request};
use crate::machine::now;
use crate::postgres;
use crate::server::{Account, Database, Server, create_accounts, fetch_tokens};
use crate::table::{Row, grouped};

/// People of the company; each has an event, and each of its ten endpoints a delivery of it.
const PEOPLE: u64 = 100_000;

/// How often each page is asked for.
const TIMES: usize = 200;

/// The slowest that one page in a hundred may be, in milliseconds.
const SLOWEST: f64 = 30.0;

/// Most bytes of a page with everything that a browser fetches for it the first time.
const HEAVIEST: usize = 150 * 1024;

/// The pages. `{person}` is someone whom ten report to, `{last}` someone whom nobody reports to.
const PAGES: &[&str] = &[
    "/admin/sign-in",
    "/admin/sign-up",
    "/admin",
    "/admin/employees",
    "/admin/employees?sort=startDate",
    "/admin/employees?sort=-startDate",
    "/admin/employees?sort=-updatedAt",
    "/admin/employees?q=ana",
    "/admin/employees?q=p00099999",
    "/admin/employees?status=on_leave",
    "/admin/employees?status=terminated",
    "/admin/employees?department={department}",
    "/admin/employees/{person}",
    "/admin/employees/{last}",
    "/admin/employees/{person}/change",
    "/admin/employees/{person}/terminate",
    "/admin/employees/{person}/delete",
    "/admin/employees/new",
    "/admin/employees/import",
    "/admin/employees/chart",
    "/admin/employees/chart?root={person}",
    "/admin/departments",
    "/admin/departments/new",
    "/admin/departments/{department}",
    "/admin/departments/{department}/delete",
    "/admin/api-clients",
    "/admin/api-clients/new",
    "/admin/webhooks",
    "/admin/webhooks/new",
    "/admin/webhooks/check",
    "/admin/webhooks/{webhook}",
    "/admin/webhooks/{webhook}?state=failed",
    "/admin/webhooks/{webhook}/edit",
    "/admin/webhooks/{webhook}/filter",
    "/admin/webhooks/{webhook}/replay",
    "/admin/webhooks/{webhook}/delete",
    "/admin/webhooks/{webhook}/deliveries/{delivery}",
    "/admin/events",
    "/admin/events?subject={person}",
    "/admin/events/{event}",
    "/admin/usage",
    "/admin/usage?range=month",
    "/admin/audit",
    "/admin/audit?action=employee.updated",
    "/admin/settings",
    "/admin/settings/fields/new",
    "/admin/profile",
    "/admin/companies",
];

/// The company's rows. Ids have the time of their rows: `{time}` and six digits are a moment, `{at}` that moment in
/// milliseconds. What is told of a person is what the product told of the one that it hired itself.
const ROWS: &[&str] = &[
    "insert into department (company_id, id, name, name_key, parent_id, lead_ids, version, created_at, updated_at)
     select company, 'dep_{time}' || {pad:6:i} || '0000000000000000', 'Equipo ' || i, 'equipo ' || i,
        case when i < 10 then null else 'dep_{time}' || {pad:6:i / 10} || '0000000000000000' end, '[]', 1, {at}, {at}
       from person where i < 200",
    "insert into employee (company_id, id, full_name, email, email_key, employee_number, status, start_date, job_title,
        employment_type, department_id, manager_id, external_refs, version, created_at, updated_at, name_key, words)
     select company, 'emp_{time}' || {pad:6:i} || '0000000000000000', 'Ana Ruiz ' || i, 'p' || i || '@example.com',
        'p' || i || '@example.com', '' || i,
        case when i % 20 = 7 then 'on_leave' when i % 20 = 9 then 'terminated' else 'active' end,
        '20' || (10 + i % 16) || '-0' || (1 + i % 9) || '-' || (10 + i % 19), 'Comercial', 'full_time',
        'dep_{time}' || {pad:6:i % 200} || '0000000000000000',
        case i when 0 then null else 'emp_{time}' || {pad:6:(i - 1) / 10} || '0000000000000000' end,
        '{\"sap\":\"' || i || '\"}', 1, {at}, {at}, 'ana ruiz ' || {pad:8:i}, ' ana p' || {pad:8:i} || ' ruiz ' from person",
    "insert into employee_word (company_id, word, employee_id)
     select company, word, 'emp_{time}' || {pad:6:i} || '0000000000000000'
       from person cross join (select 0 k, 'ana' word union all select 1, 'ruiz') words",
    "insert into employee_word (company_id, word, employee_id)
     select company, 'p' || {pad:8:i}, 'emp_{time}' || {pad:6:i} || '0000000000000000' from person",
    "insert into event (company_id, id, type, subject_id, created_at, sequence, payload)
     select company, 'evt_{time}' || {pad:6:i} || '0000000000000001', 'employee.created',
        'emp_{time}' || {pad:6:i} || '0000000000000000', {at},
        (select last_sequence from event_log where company_id = company) + 1 + i,
        (select payload from event where type = 'employee.created' order by position limit 1) from person order by i",
    "insert into event (company_id, id, type, subject_id, created_at, sequence, payload)
     select company, 'evt_{time}' || {pad:6:100000 + i} || '0000000000000001', 'employee.updated',
        'emp_{time}' || {pad:6:i % 100} || '0000000000000000', {at},
        (select last_sequence from event_log where company_id = company) + 100001 + i,
        (select payload from event where type = 'employee.updated' order by position limit 1)
       from person where i < 10000 order by i",
    "update event_log set last_sequence = last_sequence + 110000 where company_id in (select id from filled)",
    "insert into delivery (company_id, id, webhook_id, event_id, event_type, state, attempts, due_at, first_due_at,
        created_at, done_at, status, error)
     select company, 'dlv_{time}' || {pad:6:i} || {pad:16:w.number}, w.id, 'evt_{time}' || {pad:6:i} || '0000000000000001',
        'employee.created', case i % 100 when 99 then 'failed' else 'delivered' end, 1, {at}, {at}, {at}, {at} + 20, 204,
        null
       from person join (select company_id, id, row_number() over (order by id) as number from webhook) w
         on w.company_id = company order by i",
    "insert into attempt (company_id, delivery_id, number, started_at, duration, status, url)
     select company, 'dlv_{time}' || {pad:6:i} || {pad:16:w.number}, 1, {at}, 20, 204, 'http://127.0.0.1:9/'
       from person join (select company_id, id, row_number() over (order by id) as number from webhook) w
         on w.company_id = company",
    "insert into delivery_minute (company_id, minute, delivered, retried, failed, millis, slowest)
     select company, {minute} - i, 20, 1, 1, 400, 90 from person where i < 43200",
    "insert into usage_minute (company_id, client_id, minute, requests, refused, errors)
     select company, c.id, {minute} - i, 100 + i % 50, i % 3, i % 2 from person join client c on c.company_id = company
      where i < 43200",
    "insert into audit_entry (company_id, id, at, actor_type, actor_id, actor_name, action, target, before, after)
     select company, 'aud_{time}' || {pad:6:i} || '0000000000000002', {at}, 'user',
        (select id from console_user limit 1), 'Ana Ruiz', 'employee.updated',
        'emp_{time}' || {pad:6:i} || '0000000000000000', '{\"version\":1}', '{\"version\":2}' from person where i < 5000",
    "insert into member (company_id, user_id, role, created_by, created_at)
     select f.id, u.id, 'owner', 'operator', 1 from filled f cross join console_user u",
    "update session set company_id = (select id from filled)",
];

/// Asks for every page.
pub(crate) async fn console(place: &Place) -> anyhow::Result<Vec<Row>> {
    let office = Office::open(place).await?;
    let mut browser =
        Browser { connection: Connection::open(office.server.at).await?, cookie: office.cookie.clone() };
    let mut rows = Vec::new();
    let mut heaviest = (0, "");
    for page in PAGES {
        let path = office.path(page);
        let (mut times, mut size) = (Vec::new(), 0);
        for _ in 0..TIMES {
            let start = now();
            let status = browser.get(&path).await?;
            times.push(start.elapsed().as_secs_f64() * 1_000.0);
            ensure!(status == 200, "{path} was answered with {status}: {}", browser.connection.body());
            size = browser.connection.body_length();
        }
        times.sort_unstable_by(f64::total_cmp);
        let [p50, p99] = [TIMES / 2, TIMES * 99 / 100].map(|at| times[at]);
        let first = size + browser.assets().await?;
        if first > heaviest.0 {
            heaviest = (first, page);
        }
        let text = format!(
            "p50 {p50:.1} ms, p99 {p99:.1} ms; {} B, {} B the first time",
            grouped(size as f64),
            grouped(first as f64)
        );
        eprintln!("  {page}: {text}");
        let row = Row::figure(page, text).target("p99 ≤ 30 ms", p99 <= SLOWEST);
        rows.push(row.target("≤ 150 KB the first time", first <= HEAVIEST));
    }
    eprintln!("  the heaviest is {} with {} B", heaviest.1, grouped(heaviest.0 as f64));
    Ok(rows)
}

/// A browser that is signed in.
struct Browser {
    connection: Connection,
    cookie: String,
}

impl Browser {
    async fn get(&mut self, path: &str) -> anyhow::Result<u16> {
        // Who is signed in is not asked to sign in.
        let cookie = if path.starts_with("/admin/sign-") { "none" } else { &self.cookie };
        let head = request("GET", path, "", "", "");
        let head = String::from_utf8(head)?.replacen("host:", &format!("cookie: {cookie}\r\nhost:"), 1);
        self.connection.exchange(head.as_bytes()).await
    }

    /// The bytes of everything that the last page names, and of nothing that only those name: one round trip.
    async fn assets(&mut self) -> anyhow::Result<usize> {
        let page = self.connection.body().into_owned();
        let named = |text: &str, before: &str, after: char| -> BTreeSet<String> {
            let parts = text.split(before).skip(1).filter_map(|rest| rest.split(after).next());
            parts.filter(|path| path.starts_with("/assets/")).map(str::to_owned).collect()
        };
        let assets: BTreeSet<_> =
            named(&page, "href=\"", '"').union(&named(&page, "src=\"", '"')).cloned().collect();
        let mut size = 0;
        for asset in &assets {
            let status = self.get(asset).await?;
            ensure!(status == 200, "{asset} was answered with {status}");
            size += self.connection.body_length();
            for further in named(&self.connection.body(), "url(\"", '"') {
                ensure!(assets.contains(&further), "{asset} wants {further}, which the page does not name");
            }
        }
        Ok(size)
    }
}

/// The company, and a browser's cookie for its console.
struct Office {
    server: Server,
    cookie: String,
    time: String,
    webhook: String,
    _database: Database,
}

impl Office {
    async fn open(place: &Place) -> anyhow::Result<Self> {
        let database = Database::make(place).await?;
        let base = database.open().await?;
        let mut accounts = create_accounts(&base, 1).await?;
        // An id's first ten characters are its time. Six of them become digits, so four of today's are kept.
        let time = base.mint.next::<orquiva_core::id::EventKind>().to_string()[4..8].to_owned();
        drop(base);
        let mut server = Server::start(&place.program, &database).await?;
        fetch_tokens(server.at, &mut accounts).await?;
        let account = accounts.pop().context("an account")?;
        let webhook = sample(&server, &account).await?;
        let cookie = signed_up(&server).await?;
        database.settle("event", "sequence is null").await?;
        server.stop();
        let start = moment(&time);
        let at = "(START + (i / 100000) * 33554432 + (i / 10000 % 10) * 1048576 + (i / 1000 % 10) * 32768
             + (i / 100 % 10) * 1024 + (i / 10 % 10) * 32 + i % 10)";
        let minute = database.count("select max(created_at) / 60000 from event").await?;
        let text = |statement: &&str| {
            let statement = statement.replace("{time}", &time).replace("{at}", at);
            statement.replace("START", &start.to_string()).replace("{minute}", &minute.to_string())
        };
        let statements: Vec<_> = ROWS.iter().map(text).collect();
        let statements: Vec<_> = statements.iter().map(String::as_str).collect();
        fill(&database, "select distinct company_id as id from webhook", PEOPLE, &statements).await?;
        if let Ok(url) = database.url() {
            postgres::client(url).await?.batch_execute("vacuum analyze").await?;
        }
        let server = Server::start(&place.program, &database).await?;
        database.settle("audit_entry", "sequence is null").await?;
        Ok(Self { server, cookie, time, webhook, _database: database })
    }

    fn path(&self, page: &str) -> String {
        let time = &self.time;
        let zeros = "0000000000000000";
        page.replace("{person}", &format!("emp_{time}000042{zeros}"))
            .replace("{last}", &format!("emp_{time}099998{zeros}"))
            .replace("{department}", &format!("dep_{time}000003{zeros}"))
            .replace("{event}", &format!("evt_{time}0500000000000000000001"))
            .replace("{delivery}", &format!("dlv_{time}0500000000000000000001"))
            .replace("{webhook}", &self.webhook)
    }
}

/// Hires and changes someone whose events are copied, and makes ten endpoints; the id of the first one.
async fn sample(server: &Server, account: &Account) -> anyhow::Result<String> {
    let mut connection = Connection::open(server.at).await?;
    let json = "application/json";
    let hire =
        json!({ "fullName": "Ana Ruiz", "email": "ana@example.com", "jobTitle": "Comercial" }).to_string();
    let hired = connection.call(&request("POST", "/v1/employees", &account.token, json, &hire), 201).await?;
    let path = format!("/v1/employees/{}", hired["id"].as_str().context("an id")?);
    let change = json!({ "jobTitle": "Directora" }).to_string();
    connection.call(&request("PATCH", &path, &account.token, json, &change), 200).await?;
    let mut ids = Vec::new();
    for _ in 0..10 {
        ids.push(account.subscribe(server.at, "http://127.0.0.1:9/").await?);
    }
    ids.sort();
    Ok(ids.swap_remove(0))
}

/// Founds a company of its own in a browser; the cookie of the session.
async fn signed_up(server: &Server) -> anyhow::Result<String> {
    let mut connection = Connection::open(server.at).await?;
    connection.exchange(&request("GET", "/admin/sign-up", "", "", "")).await?;
    let page = connection.body().into_owned();
    let token = page.split("name=\"form_token\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
    let guest = connection.header("set-cookie").context("a cookie")?;
    let guest = guest.split(';').next().unwrap_or_default().to_owned();
    let form = format!(
        "form_token={}&company=Bench&name=Ana&email=ana%40example.com&password=caballo+correcto+pila+grapa",
        token.context("a form")?
    );
    let post = request("POST", "/admin/sign-up", "", "application/x-www-form-urlencoded", &form);
    let post = String::from_utf8(post)?.replacen("host:", &format!("cookie: {guest}\r\nhost:"), 1);
    let status = connection.exchange(post.as_bytes()).await?;
    ensure!(status == 303, "signing up was answered with {status}: {}", connection.body());
    let session = connection.header("set-cookie").context("a session")?;
    Ok(session.split(';').next().unwrap_or_default().to_owned())
}

/// The moment at which ids begin with these four characters and zeros, in milliseconds.
fn moment(time: &str) -> i64 {
    const ALPHABET: &str = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let digits = time.chars().filter_map(|letter| ALPHABET.find(letter));
    digits.fold(0_i64, |sum, digit| sum << 5 | i64::try_from(digit).unwrap_or_default()) << 30
}

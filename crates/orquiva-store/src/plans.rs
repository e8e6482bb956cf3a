//! What the engines make of the hot statements: each walks an index of its company, or reads one row by its key.

use std::cell::RefCell;

use orquiva_core::employee::{Email, EmploymentType, Status};
use orquiva_core::id::{CompanyId, DepartmentId, EmployeeId};
use orquiva_core::search::Search;
use orquiva_core::time::FrozenClock;
use orquiva_core::{Date, Secret, Timestamp};

use crate::department;
use crate::employee::{self, Filter, Order, Place, Sort};
use crate::sql::Sql;
use crate::tx::TxEngine;
use crate::{Arg, Settings, Store, StoreError, Tx, args};

/// People of the company that is looked at, and of another one.
const PEOPLE: i64 = 8_000;

thread_local! {
    /// The last statement that this thread ran, on both engines, with its arguments.
    static LAST: RefCell<(String, String, Vec<Arg<'static>>)> = RefCell::default();
}

/// Notes a statement that is about to run.
pub(crate) fn note(sql: &Sql, args: &[Arg<'_>]) {
    let own = |arg: &Arg<'_>| match arg {
        Arg::Null => Arg::Null,
        Arg::Int(value) => Arg::Int(*value),
        Arg::Text(value) => Arg::Text(value.to_string().into()),
        Arg::Bytes(value) => Arg::Bytes(value.to_vec().into()),
    };
    let noted = (sql.sqlite().to_owned(), sql.postgres().to_owned(), args.iter().map(own).collect());
    LAST.set(noted);
}

/// How the engine goes about the last statement, a line a step.
async fn plan(tx: &Tx) -> Vec<String> {
    let (sqlite, postgres, args) = LAST.take();
    let (text, column) = match &tx.0 {
        TxEngine::Sqlite(_) => (format!("explain query plan {sqlite}"), 3),
        TxEngine::Postgres(_) => (format!("explain {postgres}"), 0),
    };
    tx.all(&Sql::made(text), &args, |row| row.text(column)).await.expect("a plan")
}

/// Neither reads a whole table nor leaves the company.
fn assert_walks(what: &str, plan: &[String]) {
    let steps = plan.join("\n");
    for table in ["e", "employee_word", "external_ref"] {
        assert!(!steps.contains(&format!("SCAN {table}")), "{what}: {steps}");
    }
    for table in ["employee ", "employee_word ", "external_ref "] {
        assert!(!steps.contains(&format!("Seq Scan on {table}")), "{what}: {steps}");
    }
    assert!(steps.contains("(company_id=?") || steps.contains("company_id = "), "{what}: {steps}");
}

/// Nothing is put in order: it is read in order.
fn assert_in_order(what: &str, plan: &[String]) {
    let steps = plan.join("\n");
    assert!(!steps.contains("TEMP B-TREE FOR ORDER BY") && !steps.contains("Sort"), "{what}: {steps}");
}

async fn on_both(test: impl AsyncFn(Store)) {
    let clock = FrozenClock::at(Timestamp::from_millis(1_767_225_600_000));
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("orquiva.db");
    test(Store::open(Settings::Sqlite { file }, &clock).await.expect("a store")).await;
    let Ok(url) = std::env::var("ORQUIVA_TEST_POSTGRES") else { return };
    let (client, connection) =
        tokio_postgres::connect(&url, tokio_postgres::NoTls).await.expect("PostgreSQL");
    let driver = tokio::spawn(connection);
    #[expect(clippy::disallowed_methods, reason = "the name of a schema, the same in no two runs")]
    let schema = format!("t_{}", uuid::Uuid::now_v7().simple());
    client.batch_execute(&format!("create schema {schema}")).await.expect("a schema");
    drop(client);
    driver.await.expect("a task").expect("a connection");
    let url = Secret::new(format!("{url}?options=-csearch_path%3D{schema}"));
    test(Store::open(Settings::Postgres { url, writers: 1, readers: 1 }, &clock).await.expect("a store"))
        .await;
}

/// Two companies full of people; everyone has a reference and two words, one of them common.
async fn fill(tx: &Tx, company: CompanyId) -> Result<(), StoreError> {
    let numbers = match &tx.0 {
        TxEngine::Sqlite(_) => {
            "with recursive n (i) as (select 1 union all select i + 1 from n where i < $2),
             p (i, id) as (select i, printf('emp_%026d', i) from n)"
        }
        TxEngine::Postgres(_) => {
            "with p (i, id) as (select i, 'emp_' || lpad(i::text, 26, '0') from generate_series(1, $2::bigint) n (i))"
        }
    };
    let run = async |rest: &str, company: CompanyId| {
        let made = Sql::made(format!("{numbers} {rest}"));
        tx.run(&made, args![company, PEOPLE]).await
    };
    for company in [company, known("cmp_00000000000000000000000002")] {
        run(
            "insert into employee (company_id, id, full_name, email, email_key, employee_number, status, start_date,
                employment_type, department_id, manager_id, external_refs, version, created_at, updated_at, name_key, location_key,
                words)
             select $1, id, 'Ana ' || i, 'ana' || i || '@acme.test', 'ana' || i || '@acme.test', 'E' || i,
                case i % 10 when 0 then 'on_leave' else 'active' end,
                case i % 3 when 0 then null else '2026-01-' || (10 + i % 19) end,
                case i % 5 when 0 then 'intern' else 'full_time' end,
                'dep_0000000000000000000000000' || (i % 10),
                case when i > 49 then 'emp_000000000000000000000000' || (10 + i % 40) else null end, '{}', 1, i, i, 'ana ' || i,
                case i % 4 when 0 then 'madrid' else null end, ' ana ' || i from p",
            company,
        )
        .await?;
        run("insert into external_ref (company_id, system, value, employee_id) select $1, 'sap', 'S' || i, id from p", company)
            .await?;
        run("insert into employee_word (company_id, word, employee_id) select $1, 'ana', id from p", company)
            .await?;
        run(
            "insert into employee_word (company_id, word, employee_id) select $1, '' || i, id from p",
            company,
        )
        .await?;
    }
    if let TxEngine::Postgres(_) = &tx.0 {
        let own = "analyze employee, employee_word, external_ref, department";
        tx.run(&Sql::made(own.to_owned()), &[]).await?;
    }
    Ok(())
}

async fn listed(tx: &Tx, company: CompanyId, filter: Filter, sort: Sort) -> (Vec<String>, usize) {
    let first = employee::list(tx, company, &filter, sort, None, 2).await.expect("a page");
    let place = first.first().map(|one| sort.by.place(one));
    let found = employee::list(tx, company, &filter, sort, place.as_ref(), 51).await.expect("a page");
    (plan(tx).await, found.len())
}

fn known(id: &str) -> CompanyId {
    CompanyId::parse(id).expect("an id")
}

fn words(words: &[&str]) -> Search {
    Search { words: words.iter().map(|word| (*word).to_owned()).collect(), ..Search::default() }
}

const BY_ID: Sort = Sort { by: Order::Id, descending: false };

#[tokio::test]
async fn every_hot_read_walks_an_index() {
    on_both(async |store| {
        let company = known("cmp_00000000000000000000000001");
        let write = move |tx: Tx| async move { fill(&tx, company).await };
        store.write(company, write).await.expect("people");
        let tx = store.read().await.expect("a connection");

        let some = EmployeeId::parse("emp_00000000000000000000000042").expect("an id");
        employee::get(&tx, company, some).await.expect("someone");
        assert_walks("get", &plan(&tx).await);

        for by in [Order::Id, Order::FullName, Order::StartDate, Order::UpdatedAt] {
            for descending in [false, true] {
                let sort = Sort { by, descending };
                let several = Filter { statuses: vec![Status::Active, Status::OnLeave], ..Filter::default() };
                let common = Filter { search: words(&["ana", "an"]), ..Filter::default() };
                for filter in [Filter::default(), several, common] {
                    let what = format!("{sort:?} {filter:?}");
                    let (plan, found) = listed(&tx, company, filter, sort).await;
                    assert_eq!(found, 51, "{what}");
                    assert_walks(&what, &plan);
                    assert_in_order(&what, &plan);
                }
            }
        }
        assert_filters_walk(&tx, company).await;
        assert_charts_walk(&tx, company).await;
        let (everyone, place) = (Filter::default(), Place { id: some, key: String::new() });
        let next = employee::list(&tx, company, &everyone, BY_ID, Some(&place), 1).await.expect("a page");
        assert_eq!(next[0].profile.email.as_str(), "ana43@acme.test");
    })
    .await;
}

async fn assert_filters_walk(tx: &Tx, company: CompanyId) {
    let all = Filter::default;
    let department = DepartmentId::parse("dep_00000000000000000000000003").expect("an id");
    let manager = EmployeeId::parse("emp_00000000000000000000000042").expect("an id");
    let since = Some(Timestamp::from_millis(PEOPLE - 100));
    let day = Date::parse("2026-01-20");
    let email = |number: i64| Email::parse(&format!("ana{number}@acme.test")).expect("an address");
    for (what, filter, by, found) in [
        ("department", Filter { departments: vec![department], ..all() }, Order::Id, 51),
        ("a department's name", Filter { department: Some("ventas".to_owned()), ..all() }, Order::Id, 0),
        ("manager", Filter { managers: vec![manager], ..all() }, Order::Id, 51),
        ("status", Filter { statuses: vec![Status::OnLeave], ..all() }, Order::Id, 51),
        ("type", Filter { employment_types: vec![EmploymentType::Intern], ..all() }, Order::Id, 51),
        ("location", Filter { location: Some("MADRID".to_owned()), ..all() }, Order::Id, 51),
        ("number", Filter { employee_number: Some("E77".to_owned()), ..all() }, Order::Id, 0),
        ("e-mail", Filter { emails: vec![email(77)], ..all() }, Order::Id, 0),
        ("e-mails", Filter { emails: vec![email(77), email(99)], ..all() }, Order::Id, 1),
        (
            "reference",
            Filter { external_ref: Some(("sap".to_owned(), "S77".to_owned())), ..all() },
            Order::Id,
            0,
        ),
        ("updatedSince", Filter { updated_since: since, ..all() }, Order::UpdatedAt, 51),
        ("createdSince", Filter { created_since: since, ..all() }, Order::Id, 0),
        ("started", Filter { started_from: day, started_to: day, ..all() }, Order::Id, 51),
        ("a word and an address", Filter { search: Search::parse("ana ana777@"), ..all() }, Order::Id, 0),
        ("a rare word", Filter { search: words(&["777", "ana"]), ..all() }, Order::FullName, 10),
    ] {
        let (plan, count) = listed(tx, company, filter, Sort { by, descending: false }).await;
        assert_eq!(count, found, "{what}: all but the first, a page at most");
        assert_walks(what, &plan);
        if found == 51 {
            assert_in_order(what, &plan);
        }
        if what == "a rare word" {
            assert!(plan.iter().any(|step| step.contains("employee_word")), "{what} leads: {plan:?}");
        }
    }
}

/// Who reports to whom, how many people are where, and the few whose order is made anew.
async fn assert_charts_walk(tx: &Tx, company: CompanyId) {
    let managers = [41, 42].map(|id| EmployeeId::parse(&format!("emp_{id:026}")).expect("an id"));
    let few = Filter { managers: managers.to_vec(), ..Filter::default() };
    for by in [Order::Id, Order::FullName, Order::StartDate] {
        let (plan, found) = listed(tx, company, few.clone(), Sort { by, descending: true }).await;
        assert_eq!(found, 51);
        assert_leads("two managers", &plan, "employee_manager");
    }
    let below = employee::below(tx, company, &managers, 250).await.expect("people");
    assert_leads("below", &plan(tx).await, "employee_manager");
    let of_first = below.iter().take_while(|one| one.manager == Some(managers[0])).count();
    assert_eq!((below.len(), of_first), (250, 199), "manager by manager");
    let counts = employee::counts(tx, company, &managers).await.expect("counts");
    let steps = plan(tx).await;
    assert_leads("counts", &steps, "employee_manager");
    assert_eq!(managers.map(|id| counts[&id]), [199, 199]);
    let heads = department::heads(tx, company).await.expect("counts");
    // PostgreSQL reads every row where half of all are the company's.
    let steps = plan(tx).await.join("\n");
    assert!(!steps.contains("SEARCH") || steps.matches("USING COVERING INDEX").count() == 2, "{steps}");
    assert_eq!(heads.iter().map(|(_, heads)| heads).sum::<i64>(), PEOPLE);
}

/// Neither reads a whole table nor leaves the company, and SQLite goes along `index`.
fn assert_leads(what: &str, plan: &[String], index: &str) {
    assert_walks(what, plan);
    let steps = plan.join("\n");
    assert!(!steps.contains("SEARCH") || steps.contains(index), "{what}: {steps}");
}

mod deliveries;

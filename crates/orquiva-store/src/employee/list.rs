//! Lists of employees: narrowed, put in order, and gone on with from a place. Each is a walk along an index; only where
//! those who are meant are few is their order made anew.

use orquiva_core::employee::{Email, Employee, EmploymentType, Status};
use orquiva_core::id::{CompanyId, DepartmentId, EmployeeId};
use orquiva_core::search::{Search, location_key, name_key};
use orquiva_core::{Date, Timestamp};

use super::{read, word};
use crate::custom_field;
use crate::sql::Sql;
use crate::{Arg, StoreError, Tx};

/// What a list is narrowed to. Of several values any one will do; no values do not narrow it.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// In this department, by the folded form of its name.
    pub department: Option<String>,
    /// In one of these departments.
    pub departments: Vec<DepartmentId>,
    /// Of one of these statuses.
    pub statuses: Vec<Status>,
    /// With one of these work e-mails.
    pub emails: Vec<Email>,
    /// With this number in payroll.
    pub employee_number: Option<String>,
    /// Who report to one of these.
    pub managers: Vec<EmployeeId>,
    /// Of one of these kinds of contract.
    pub employment_types: Vec<EmploymentType>,
    /// Who works here, without regard to case and accents.
    pub location: Option<String>,
    /// With this reference: system and value.
    pub external_ref: Option<(String, String)>,
    /// Who began on this day or later.
    pub started_from: Option<Date>,
    /// Who began on this day or before.
    pub started_to: Option<Date>,
    /// Hired here at this moment or later.
    pub created_since: Option<Timestamp>,
    /// Changed at this moment or later.
    pub updated_since: Option<Timestamp>,
    /// With a value of this field that the company has added, by its slug.
    pub with_value: Option<String>,
    /// Whom this search finds.
    pub search: Search,
}

/// By what a list is put in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// By id, which is the order of the hires.
    #[default]
    Id,
    /// By the whole name, without regard to case and accents.
    FullName,
    /// By the first day of work; who has none comes before all others.
    StartDate,
    /// By the moment of the last change.
    UpdatedAt,
}

/// The order of a list. Whatever is equal in it is ordered by id, in the same direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sort {
    /// By what.
    pub by: Order,
    /// From the last to the first.
    pub descending: bool,
}

/// A place in a list: after this one it goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Who stands there.
    pub id: EmployeeId,
    /// What the order goes by, of whoever stands there.
    pub key: String,
}

impl Order {
    /// The column.
    fn column(self) -> &'static str {
        match self {
            Self::Id => "e.id",
            Self::FullName => "e.name_key",
            Self::StartDate => FIRST_DAY,
            Self::UpdatedAt => "e.updated_at",
        }
    }

    /// The place of `employee`.
    pub fn place(self, employee: &Employee) -> Place {
        let key = match self {
            Self::Id => String::new(),
            Self::FullName => name_key(&employee.profile.full_name),
            Self::StartDate => employee.profile.start_date.map(|day| day.to_string()).unwrap_or_default(),
            Self::UpdatedAt => employee.updated_at.millis().to_string(),
        };
        Place { id: employee.id, key }
    }
}

/// Up to `limit` employees of a company that match `filter`, in the order of `sort`, after `place`.
pub async fn list(
    tx: &Tx,
    company: CompanyId,
    filter: &Filter,
    sort: Sort,
    place: Option<&Place>,
    limit: i64,
) -> Result<Vec<Employee>, StoreError> {
    let mut query = Query::over(company);
    match word::rarest(tx, company, &filter.search.words).await? {
        Some(rarest) => query.lead_from_word(rarest),
        None => query.lead_from_everyone(index_of_few(tx, company, filter, sort).await?),
    }
    query.narrow(filter);
    query.go_on(sort, place)?;
    let (column, way) = (sort.by.column(), if sort.descending { " desc" } else { "" });
    let limit = query.bind(limit);
    query.text.push_str(&match sort.by {
        Order::Id => format!(" order by e.id{way} limit {limit}"),
        _ => format!(" order by {column}{way}, e.id{way} limit {limit}"),
    });
    tx.all(&Sql::made(query.text), &query.args, read).await
}

/// The first day of work, as a text that is never null, so that a place in the order can be told.
const FIRST_DAY: &str = "coalesce(e.start_date, '')";

/// Most people whose order is made anew.
const FEW: i64 = 2_000;

/// The index that leads to those whom `filter` means, if they are few: a walk in the order of `sort` would pass nearly
/// everyone before it has found a page of them.
async fn index_of_few(
    tx: &Tx,
    company: CompanyId,
    filter: &Filter,
    sort: Sort,
) -> Result<Option<&'static str>, StoreError> {
    let Filter { department, departments, statuses, managers, .. } = filter;
    let (index, narrow, values): (_, fn(&mut Query, &Filter), _) = if !managers.is_empty() {
        ("employee_manager", Query::narrow_managers, managers.len())
    } else if department.is_some() || !departments.is_empty() {
        ("employee_department", Query::narrow_departments, departments.len().max(1))
    } else if !statuses.is_empty() && !statuses.contains(&Status::Active) {
        ("employee_status", Query::narrow_statuses, statuses.len())
    } else {
        return Ok(None);
    };
    if sort.by == Order::Id && values == 1 {
        return Ok(Some(index)); // which has them in this order
    }
    let text =
        format!("select count(*) from (select 1 from employee e indexed by {index} where e.company_id = $1");
    let mut query = Query { text, args: vec![company.into()] };
    narrow(&mut query, filter);
    let most = query.bind(FEW + 1);
    query.text.push_str(&format!(" limit {most}) few"));
    let count = tx.first(&Sql::made(query.text), &query.args, |row| row.int(0)).await?;
    Ok((count.unwrap_or_default() <= FEW).then_some(index))
}

/// A query while it is being put together.
struct Query {
    text: String,
    args: Vec<Arg<'static>>,
}

impl Query {
    fn over(company: CompanyId) -> Self {
        let text = String::from(
            "select e.company_id, e.id, e.full_name, e.first_name, e.last_name, e.second_last_name, e.preferred_name,
                e.email, e.phone, e.employee_number, e.status, e.start_date, e.job_title, e.employment_type, e.location,
                e.department_id, d.name, e.external_refs, e.version, e.created_at, e.updated_at, e.original_hire_date,
                e.end_date, e.termination_reason, e.manager_id, e.personal_email, e.birth_date, e.gender,
                e.nationality, e.national_id, e.home_address, e.due_on, e.former, e.custom_fields,
                e.sensitive_custom_fields",
        );
        Self { text, args: vec![company.into()] }
    }

    /// Binds a value and returns its place in the text.
    fn bind(&mut self, value: impl Into<Arg<'static>>) -> String {
        self.args.push(value.into());
        format!("${}", self.args.len())
    }

    /// A condition; each `{}` in it stands for the next of `values`.
    fn and(&mut self, condition: &str, values: impl IntoIterator<Item = Arg<'static>>) {
        let mut condition = condition.to_owned();
        for value in values {
            let bound = self.bind(value);
            condition = condition.replacen("{}", &bound, 1);
        }
        self.text.push_str(" and ");
        self.text.push_str(&condition);
    }

    /// A condition that `expression` is one of `values`, if there are any.
    fn and_among(&mut self, expression: &str, values: Vec<Arg<'static>>) {
        match values.len() {
            0 => {}
            1 => self.and(&format!("{expression} = {{}}"), values),
            many => self.and(&format!("{expression} in ({})", vec!["{}"; many].join(", ")), values),
        }
    }

    /// Starts from the company, along an index if one is named.
    fn lead_from_everyone(&mut self, index: Option<&str>) {
        let hint = index.map(|index| format!(" indexed by {index}")).unwrap_or_default();
        self.text.push_str(&format!(
            " from employee e{hint} left join department d on d.company_id = e.company_id and d.id = e.department_id
          where e.company_id = $1"
        ));
    }

    /// Starts from the few people of a rare word. `cross join` is where SQLite keeps the order as it is written.
    fn lead_from_word(&mut self, word: &str) {
        let (from, to) = (self.bind(word.to_owned()), self.bind(word::after(word)));
        self.text.push_str(&format!(
            " from (select distinct employee_id from employee_word
                 where company_id = $1 and word >= {from} and word < {to}) found
           cross join employee e
           left join department d on d.company_id = e.company_id and d.id = e.department_id
          where e.company_id = $1 and e.id = found.employee_id"
        ));
    }

    fn narrow(&mut self, filter: &Filter) {
        self.narrow_departments(filter);
        self.narrow_statuses(filter);
        self.and_among("e.email_key", filter.emails.iter().map(|email| email.key().into()).collect());
        if let Some(number) = &filter.employee_number {
            self.and("e.employee_number = {}", [number.clone().into()]);
        }
        self.narrow_managers(filter);
        let types = filter.employment_types.iter().map(|kind| kind.as_str().into()).collect();
        self.and_among("e.employment_type", types);
        if let Some(location) = &filter.location {
            self.and("e.location_key = {}", [location_key(location).into()]);
        }
        if let Some((system, value)) = &filter.external_ref {
            let condition = "e.id = (select employee_id from external_ref where company_id = $1 and system = {} and value = {})";
            self.and(condition, [system.clone().into(), value.clone().into()]);
        }
        if let Some(slug) = &filter.with_value {
            let pattern = Arg::from(custom_field::pattern(slug));
            let condition =
                "(e.custom_fields like {} escape '!' or e.sensitive_custom_fields like {} escape '!')";
            self.and(condition, [pattern.clone(), pattern]);
        }
        self.narrow_times(filter);
        for word in &filter.search.words {
            self.and("e.words like {} escape '\\'", [word::pattern(word).into()]);
        }
        for address in &filter.search.addresses {
            let beginning = [address.clone().into(), word::after(address).into()];
            self.and("e.email_key >= {} and e.email_key < {}", beginning);
        }
    }

    fn narrow_departments(&mut self, filter: &Filter) {
        if let Some(key) = &filter.department {
            let condition =
                "e.department_id = (select id from department where company_id = $1 and name_key = {})";
            self.and(condition, [key.clone().into()]);
        }
        self.and_among("e.department_id", filter.departments.iter().map(|id| (*id).into()).collect());
    }

    fn narrow_statuses(&mut self, filter: &Filter) {
        self.and_among("e.status", filter.statuses.iter().map(|status| status.as_str().into()).collect());
        if !filter.statuses.is_empty() && !filter.statuses.contains(&Status::Active) {
            self.text.push_str(" and e.status <> 'active'"); // by the index of the few
        }
    }

    fn narrow_managers(&mut self, filter: &Filter) {
        self.and_among("e.manager_id", filter.managers.iter().map(|id| (*id).into()).collect());
    }

    fn narrow_times(&mut self, filter: &Filter) {
        if let Some(first) = filter.started_from {
            self.and("e.start_date >= {}", [first.into()]);
        }
        if let Some(last) = filter.started_to {
            self.and("e.start_date <= {}", [last.into()]);
        }
        if let Some(since) = filter.created_since {
            // Ids are made after the moment that they are stored with, so the walk can begin there.
            self.and("e.id >= {} and e.created_at >= {}", [EmployeeId::first_at(since).into(), since.into()]);
        }
        if let Some(since) = filter.updated_since {
            self.and("e.updated_at >= {}", [since.into()]);
        }
    }

    /// Goes on after `place`.
    fn go_on(&mut self, sort: Sort, place: Option<&Place>) -> Result<(), StoreError> {
        let Some(Place { id, key }) = place else { return Ok(()) };
        let beyond = if sort.descending { "<" } else { ">" };
        let key: Arg<'static> = match sort.by {
            Order::Id => {
                self.and(&format!("e.id {beyond} {{}}"), [(*id).into()]);
                return Ok(());
            }
            Order::UpdatedAt => key.parse::<i64>().map_err(StoreError::broken)?.into(),
            Order::FullName | Order::StartDate => key.clone().into(),
        };
        let condition = format!("({}, e.id) {beyond} ({{}}, {{}})", sort.by.column());
        self.and(&condition, [key, (*id).into()]);
        Ok(())
    }
}

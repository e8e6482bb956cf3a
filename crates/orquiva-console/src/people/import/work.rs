//! Works at imports, a piece at a time: a rehearsal that finds every bad row, the import itself, who reports to whom, and
//! the way back. Each piece is written under a key of its own, so that one that was interrupted is done once; every node
//! works, and a piece that nobody finished is taken up again.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::Method;
use orquiva_core::Right;
use orquiva_core::event::Actor;
use orquiva_core::id::{EmployeeId, ImportId};
use orquiva_store::import::{self, Job, Part};
use orquiva_store::{StoreError, Tx, custom_field, employee, member};
use orquiva_web::{App, Inside, Insider, Refused};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::columns::Read;
use super::rows::{Fault, Work, bad_in, faults_of, people_of, place};
use super::told::Told;
use crate::next::escaped;

/// How often it looks when there is nothing to do.
const POLL: Duration = Duration::from_millis(500);

/// For how long a piece is kept from others.
const LEASE: i64 = 30_000;

/// Works at imports.
pub struct Importer {
    app: App,
    inside: Inside,
    seen: Mutex<Option<Seen>>,
}

/// What the rehearsal of a file has seen so far: so that someone who stands in it twice is found.
struct Seen {
    job: ImportId,
    done: i64,
    keys: HashSet<String>,
}

impl Importer {
    /// One at rest.
    pub fn new(app: App) -> Self {
        Self { inside: Inside::new(app.clone()), app, seen: Mutex::default() }
    }

    /// Works until `stop` says so.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            match self.step().await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(cause) => tracing::error!(%cause, "an import could not be worked at; it waits"),
            }
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    /// Works at one piece, if there is one; whether there was.
    pub async fn step(&self) -> Result<bool, StoreError> {
        let now = self.app.clock.now();
        let claim = move |tx: Tx| async move { import::claim(&tx, now, now.plus(LEASE)).await };
        let Some(job) = self.app.store.write::<_, StoreError, _, _>(None, claim).await? else {
            return Ok(false);
        };
        let (company, id) = (job.company, job.id);
        let done = self.piece(job).await;
        let release = move |tx: Tx| async move { import::release(&tx, company, id).await };
        self.app.store.write::<_, StoreError, _, _>(company, release).await?;
        done
    }

    async fn piece(&self, job: Job) -> Result<bool, StoreError> {
        let told = Told::of(&job)?;
        let tx = self.app.store.read().await?;
        let role = member::role(&tx, job.company, job.created_by).await?;
        let own = custom_field::list(&tx, job.company, "", orquiva_core::custom_field::MAX_FIELDS).await?;
        drop(tx);
        let actor = Actor::User { id: job.created_by };
        let scopes = role.map(|role| role.scopes()).unwrap_or_default();
        let work = Work {
            header: told.list("header"),
            columns: told.list("columns"),
            own,
            who: Insider { company: job.company, actor, scopes, note: None },
            told,
            job,
        };
        if !role.is_some_and(|role| role.may(Right::ManagePeople)) {
            return self.stop(work, "forbidden").await;
        }
        let state = work.job.state.clone();
        let done = match state.as_str() {
            "checking" => self.check(&work).await,
            "running" => self.hire(&work).await,
            "linking" => self.link(&work).await,
            _ => self.undo(&work).await,
        };
        match done {
            Ok((told, part)) => self.store(work, told, part).await,
            Err(Halt::Store(error)) => Err(error),
            // The database is away or busy: the same piece again, a little later.
            Err(Halt::Refused(refused)) if refused.status() >= 500 || refused.status() == 409 => Ok(false),
            Err(Halt::Refused(refused)) => {
                tracing::warn!(import.id = %work.job.id, status = refused.status(), "an import was stopped");
                self.stop(work, "refused").await
            }
        }
    }

    /// Ends an import that cannot go on.
    async fn stop(&self, work: Work, why: &'static str) -> Result<bool, StoreError> {
        let mut told = work.told.clone();
        told.set("why", why);
        told.set("to", "stopped");
        self.store(work, told, None).await
    }

    /// Stores what became of a piece, and where the import stands by now, at once.
    async fn store(&self, work: Work, mut told: Told, part: Option<Part>) -> Result<bool, StoreError> {
        let (mut job, from) = (work.job.clone(), work.job.state.clone());
        if !told.word("to").is_empty() {
            job.state = told.word("to").to_owned();
            told.set("to", "");
        }
        job.told = told.text();
        let write = move |tx: Tx| async move {
            if import::advance(&tx, &job, &from).await?
                && let Some(part) = &part
            {
                import::note_part(&tx, job.company, job.id, part).await?;
            }
            Ok(())
        };
        self.app.store.write::<_, StoreError, _, _>(work.job.company, write).await?;
        self.app.wake.notify_one();
        Ok(true)
    }

    /// A piece and its rows.
    async fn part(&self, work: &Work, number: i64) -> Result<(Part, Vec<Vec<String>>), Halt> {
        let (company, id) = (work.job.company, work.job.id);
        let part = import::part(&self.app.store.read().await?, company, id, number).await?;
        let opened = self.app.key.open(&part.sealed, &place(id, number)).map_err(StoreError::broken)?;
        let rows = serde_json::from_slice(&opened).map_err(StoreError::broken)?;
        Ok((part, rows))
    }

    /// Rehearses a piece: what the API would refuse, and whoever stands in the file twice. Behind the last piece it goes
    /// through all once more for the managers, who may stand anywhere in the file.
    async fn check(&self, work: &Work) -> Result<(Told, Option<Part>), Halt> {
        let (mut told, parts) = (work.told.clone(), work.told.number("parts"));
        let done = told.number("done");
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).take();
        let seen = seen.filter(|seen| seen.job == work.job.id && seen.done == done);
        let mut seen = match seen {
            Some(seen) => seen,
            None if done == 0 => Seen { job: work.job.id, done, keys: HashSet::new() },
            None => {
                told.start(); // it was interrupted: what was seen is forgotten
                return Ok((told, None));
            }
        };
        let number = done % parts;
        let (mut part, rows) = self.part(work, number).await?;
        let mut faults: Vec<Fault> = match done < parts {
            true => self.rehearse(work, number, &rows, &mut seen).await?,
            false => {
                let known: Vec<Fault> = faults_of(&part)?;
                let missing = self.missing_managers(work, number, &rows, &seen).await?;
                known.into_iter().chain(missing).collect()
            }
        };
        faults.sort();
        let bad = faults.iter().map(|(row, _, _)| row).collect::<HashSet<_>>().len();
        let before = if done < parts { 0 } else { bad_in(&part)? };
        told.add("bad", bad - before.min(bad));
        told.add("done", 1);
        seen.done = done + 1;
        let last = if told.has_managers() { 2 * parts } else { parts };
        if done + 1 == last {
            told.set("to", "checked");
        }
        part.faults = (!faults.is_empty()).then(|| json!(faults).to_string());
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
        Ok((told, Some(part)))
    }

    async fn rehearse(
        &self,
        work: &Work,
        number: i64,
        rows: &[Vec<String>],
        seen: &mut Seen,
    ) -> Result<Vec<Fault>, Halt> {
        let reads = work.reads(rows);
        let answer = self.batch(work, "?dryRun=true", "", &work.hires(&reads)).await?;
        let all: Vec<usize> = (0..rows.len()).collect();
        let mut faults = work.faults(number, &all, &answer);
        let language = work.told.language();
        for (index, (row, read)) in rows.iter().zip(&reads).enumerate() {
            let at = work.row(number, index);
            if row.len() > work.header.len() {
                let what = language.pick(
                    "La fila tiene más celdas que columnas hay. Revise las comillas y los separadores.",
                    "The row has more cells than there are columns. Check quotes and separators.",
                );
                faults.push((at, String::new(), what.to_owned()));
            }
            for name in ["email", "employeeNumber"] {
                let key = read.draft.text(name).to_lowercase();
                if key.is_empty() || seen.keys.insert(format!("{name} {key}")) {
                    continue;
                }
                let column = work.title(name);
                let what = language.pick(
                    "Está más de una vez en el archivo. Deje una sola fila.",
                    "It is in the file more than once. Leave one row.",
                );
                faults.retain(|(row, of, _)| *row != at || *of != column);
                faults.push((at, column, what.to_owned()));
            }
        }
        Ok(faults)
    }

    async fn missing_managers(
        &self,
        work: &Work,
        number: i64,
        rows: &[Vec<String>],
        seen: &Seen,
    ) -> Result<Vec<Fault>, Halt> {
        let reads = work.reads(rows);
        let known = self.managers(work, &reads).await?;
        let missing = reads.iter().enumerate().filter(|(_, read)| {
            let email = read.manager.to_lowercase();
            !email.is_empty() && !known.contains_key(&email) && !seen.keys.contains(&format!("email {email}"))
        });
        Ok(missing.map(|(index, _)| work.without_manager(number, index, false)).collect())
    }

    /// The ids of those managers of some rows who are there, by their e-mails.
    async fn managers(&self, work: &Work, reads: &[Read]) -> Result<HashMap<String, String>, Halt> {
        let mut emails: Vec<_> = reads.iter().map(|read| read.manager.to_lowercase()).collect();
        emails.retain(|email| email.contains('@') && !email.contains(','));
        emails.sort();
        emails.dedup();
        let mut known = HashMap::new();
        for some in emails.chunks(50) {
            let path = format!("/employees?limit=200&fields=email&email={}", escaped(&some.join(",")));
            let found = match self.inside.read(work.who.clone(), &path).await {
                Ok(found) => found.body,
                Err(refused) if matches!(refused.status(), 400 | 422) => continue, // no addresses among them
                Err(refused) => return Err(refused.into()),
            };
            for one in found["data"].as_array().into_iter().flatten() {
                let text = |name: &str| one[name].as_str().unwrap_or_default();
                known.insert(text("email").to_lowercase(), text("id").to_owned());
            }
        }
        Ok(known)
    }

    /// Brings the people of a piece: those in whose rows the rehearsal found nothing wrong.
    async fn hire(&self, work: &Work) -> Result<(Told, Option<Part>), Halt> {
        let mut told = work.told.clone();
        let number = told.number("done");
        let (mut part, rows) = self.part(work, number).await?;
        let mut faults: Vec<Fault> = faults_of(&part)?;
        let flagged: HashSet<i64> = faults.iter().map(|(row, _, _)| *row).collect();
        let kept: Vec<usize> =
            (0..rows.len()).filter(|index| !flagged.contains(&work.row(number, *index))).collect();
        let hires = work.hires(&work.reads(&rows));
        let items: Vec<Value> = kept.iter().map(|index| hires[*index].clone()).collect();
        let mut people: Vec<Value> = Vec::new();
        if !items.is_empty() {
            let answer = self.batch(work, "", &format!("run-{number}"), &items).await?;
            let results = answer["results"].as_array().into_iter().flatten();
            let hired = results.zip(&kept).filter_map(|(one, index)| {
                let id = one["data"]["id"].as_str()?;
                Some(json!([index, id, one["data"]["version"]]))
            });
            people.extend(hired);
            faults.extend(work.faults(number, &kept, &answer));
            faults.sort();
        }
        told.add("good", people.len());
        told.add("bad", rows.len() - people.len());
        told.add("done", 1);
        part.people = Some(json!(people).to_string());
        part.faults = (!faults.is_empty()).then(|| json!(faults).to_string());
        let last = number + 1 == told.number("parts");
        match told.has_managers() {
            true if last => {
                told.set("done", 0);
                told.set("to", "linking");
            }
            true => {}
            false => {
                part.sealed = Vec::new();
                told.set("to", if last { "done" } else { "" });
            }
        }
        Ok((told, Some(part)))
    }

    /// Says of the people of a piece whom they report to: everyone is there by now.
    async fn link(&self, work: &Work) -> Result<(Told, Option<Part>), Halt> {
        let mut told = work.told.clone();
        let number = told.number("done");
        let (mut part, rows) = self.part(work, number).await?;
        let reads = work.reads(&rows);
        let known = self.managers(work, &reads).await?;
        let mut people = people_of(&part)?;
        let mut faults: Vec<Fault> = faults_of(&part)?;
        let (mut items, mut at) = (Vec::new(), Vec::new());
        for (place, (index, id, version)) in people.iter().enumerate() {
            let manager = reads.get(*index).map_or("", |read| read.manager.as_str()).to_lowercase();
            match known.get(&manager) {
                _ if manager.is_empty() => {}
                Some(manager) => {
                    at.push(place);
                    items.push(json!({ "op": "update", "id": id, "ifMatch": format!("\"{version}\""), "data": { "managerId": manager } }));
                }
                None => faults.push(work.without_manager(number, *index, true)),
            }
        }
        if !items.is_empty() {
            let answer = self.batch(work, "", &format!("link-{number}"), &items).await?;
            let results = answer["results"].as_array().into_iter().flatten();
            for (place, result) in at.into_iter().zip(results) {
                match result["data"]["version"].as_i64() {
                    Some(version) => people[place].2 = version,
                    None => faults.push(work.without_manager(number, people[place].0, true)),
                }
            }
        }
        told.add("done", 1);
        if number + 1 == told.number("parts") {
            told.set("to", "done");
        }
        faults.sort();
        part.sealed = Vec::new();
        part.people = Some(json!(people).to_string());
        part.faults = (!faults.is_empty()).then(|| json!(faults).to_string());
        Ok((told, Some(part)))
    }

    /// Takes back the people of a piece whom nobody has changed since and to whom nobody reports. It goes through all
    /// pieces as often as that makes others free to go.
    async fn undo(&self, work: &Work) -> Result<(Told, Option<Part>), Halt> {
        let mut told = work.told.clone();
        let (number, round) = (told.number("done"), told.number("round"));
        let (company, id) = (work.job.company, work.job.id);
        let tx = self.app.store.read().await?;
        let mut part = import::part(&tx, company, id, number).await?;
        let mut people = people_of(&part)?;
        let ids: Vec<_> = people.iter().filter_map(|(_, id, _)| EmployeeId::parse(id)).collect();
        let reports = employee::counts(&tx, company, &ids).await?;
        drop(tx);
        let leads = |id: &str| EmployeeId::parse(id).is_some_and(|id| reports.contains_key(&id));
        let free: Vec<_> = people.iter().filter(|(_, id, _)| !leads(id)).cloned().collect();
        if !free.is_empty() {
            let item = |(_, id, version): &(usize, String, i64)| json!({ "op": "delete", "id": id, "ifMatch": format!("\"{version}\"") });
            let items: Vec<_> = free.iter().map(item).collect();
            let answer = self.batch(work, "", &format!("undo-{round}-{number}"), &items).await?;
            let results = answer["results"].as_array().into_iter().flatten();
            let gone = free
                .iter()
                .zip(results)
                .filter(|(_, result)| matches!(result["status"].as_i64(), Some(204 | 404)));
            let gone: HashSet<_> = gone.map(|((_, id, _), _)| id.clone()).collect();
            people.retain(|(_, id, _)| !gone.contains(id));
            told.add("gone", gone.len());
            told.add("freed", gone.len());
        }
        told.add("done", 1);
        if number + 1 == told.number("parts") {
            match told.number("freed") {
                0 => told.set("to", "undone"),
                _ => {
                    told.set("done", 0);
                    told.set("freed", 0);
                    told.set("round", round + 1);
                }
            }
        }
        part.people = Some(json!(people).to_string());
        Ok((told, Some(part)))
    }

    async fn batch(&self, work: &Work, query: &str, key: &str, items: &[Value]) -> Result<Value, Halt> {
        let key = if key.is_empty() { String::new() } else { format!("{}-{key}", work.job.id) };
        let language = work.told.language().tag();
        let headers = [("idempotency-key", key.as_str()), ("accept-language", language)];
        let path = format!("/employees/batch{query}");
        let body = json!({ "items": items });
        Ok(self.inside.write(work.who.clone(), Method::POST, &path, &headers, Some(&body)).await?.body)
    }
}

/// Why a piece was not done.
enum Halt {
    Store(StoreError),
    Refused(Refused),
}

impl From<StoreError> for Halt {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Refused> for Halt {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

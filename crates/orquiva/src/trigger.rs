//! `orquiva trigger`: makes an event happen, for whoever builds a receiver. The event is a real one: someone with a
//! made-up name is hired through the API, and removed again at the end.
#![expect(clippy::print_stdout, reason = "what happened is shown on standard output")]

use anyhow::{bail, ensure};
use clap::Args;
use http::Method;
use orquiva_core::Clock;
use serde_json::{Value, json};

use crate::api::{Api, Server, text};

/// The events that can be triggered, and the steps that lead to each.
const TRIGGERS: &[(&str, &[Step])] = &[
    ("employee.created", &[Step::Hire]),
    ("employee.updated", &[Step::Hire, Step::Change]),
    ("employee.deleted", &[Step::Hire]),
    ("employee.termination_scheduled", &[Step::Hire, Step::TerminateLater]),
    ("employee.termination_cancelled", &[Step::Hire, Step::TerminateLater, Step::CancelTermination]),
    ("employee.terminated", &[Step::Hire, Step::Terminate]),
    ("employee.rehired", &[Step::Hire, Step::Terminate, Step::Rehire]),
    ("department.created", &[Step::Found]),
    ("department.updated", &[Step::Found, Step::Rename]),
    ("department.deleted", &[Step::Found]),
];

/// In how many days an employment ends that is to end later, in milliseconds.
const LATER: i64 = 30 * 86_400_000;

#[derive(Clone, Copy)]
enum Step {
    Hire,
    Change,
    Terminate,
    TerminateLater,
    CancelTermination,
    Rehire,
    Found,
    Rename,
}

/// `orquiva trigger …`
#[derive(Args, Clone, Debug)]
pub struct Trigger {
    /// What is to happen: employee.created, department.updated, …
    pub event: String,
    /// Where
    #[command(flatten)]
    pub server: Server,
    /// Do it though the server is not on this machine: everyone who listens there hears of it, as of any hire
    #[arg(long)]
    pub real: bool,
    /// Leave what was made, instead of removing it at the end
    #[arg(long)]
    pub keep: bool,
}

/// Makes it happen, and tidies up.
pub async fn trigger(wanted: Trigger, clock: &dyn Clock, as_json: bool) -> anyhow::Result<()> {
    let Trigger { event, server, real, keep } = wanted;
    let Some((event, steps)) = TRIGGERS.iter().find(|(known, _)| *known == event) else {
        let known: Vec<_> = TRIGGERS.iter().map(|(known, _)| *known).collect();
        bail!("`{event}` cannot be triggered; there are: {}", known.join(", "));
    };
    ensure!(
        real || server.is_local(),
        "{} is not on this machine. Someone made-up would be hired there for real, and everyone who listens would hear \
         of it; say --real if that is what you want",
        server.url()
    );
    let api = Api::new(server.url())?;
    let token = api.token(&server.client_id, &server.secret()).await?;
    let mut stage = Stage { api, token, clock, made: None, as_json };
    let acted = stage.act(steps).await;
    // What was made goes also if something went wrong on the way.
    let goes = !keep || event.ends_with(".deleted");
    let tidied = if goes { stage.remove().await } else { Ok(()) };
    acted.and(tidied)
}

struct Stage<'s> {
    api: Api,
    token: String,
    clock: &'s dyn Clock,
    /// The path of what was made.
    made: Option<String>,
    as_json: bool,
}

impl Stage<'_> {
    async fn act(&mut self, steps: &[Step]) -> anyhow::Result<()> {
        let (now, later) = (self.clock.now(), self.clock.now().plus(LATER));
        let unique = now.millis();
        for step in steps {
            let (method, end, body) = match step {
                Step::Hire => {
                    let email = format!("alex.prueba+{unique}@example.com");
                    let hire = json!({ "fullName": "Alex Prueba", "email": email, "jobTitle": "Test" });
                    self.make("/v1/employees", hire).await?;
                    continue;
                }
                Step::Found => {
                    self.make("/v1/departments", json!({ "name": format!("Prueba {unique}") })).await?;
                    continue;
                }
                Step::Change => (Method::PATCH, "", Some(json!({ "jobTitle": "Test again" }))),
                Step::Rename => (Method::PATCH, "", Some(json!({ "name": format!("Prueba {unique} B") }))),
                Step::Terminate => (Method::POST, "/terminate", Some(json!({}))),
                Step::TerminateLater => {
                    (Method::POST, "/terminate", Some(json!({ "effectiveDate": later.date() })))
                }
                Step::CancelTermination => (Method::DELETE, "/terminate", None),
                Step::Rehire => (Method::POST, "/rehire", Some(json!({ "startDate": now.date() }))),
            };
            self.call(method, end, body).await?;
        }
        Ok(())
    }

    async fn make(&mut self, list: &str, body: Value) -> anyhow::Result<()> {
        let made = self.api.call(&self.token, Method::POST, list, Some(body)).await?;
        let path = format!("{list}/{}", text(&made, "id")?);
        self.tell(&Method::POST, &path);
        self.made = Some(path);
        Ok(())
    }

    /// Calls what was made, at `end` of its path.
    async fn call(&self, method: Method, end: &str, body: Option<Value>) -> anyhow::Result<()> {
        let Some(made) = &self.made else { return Ok(()) };
        let path = format!("{made}{end}");
        self.api.call(&self.token, method.clone(), &path, body).await?;
        self.tell(&method, &path);
        Ok(())
    }

    async fn remove(&self) -> anyhow::Result<()> {
        self.call(Method::DELETE, "", None).await
    }

    fn tell(&self, method: &Method, path: &str) {
        match self.as_json {
            true => println!("{}", json!({ "method": method.as_str(), "path": path })),
            false => println!("{method:<6} {path}"),
        }
    }
}

//! What `orquiva listen` shows: a line for each event, in colours on a terminal, or as JSON.
#![expect(clippy::print_stdout, reason = "events are shown on standard output")]

use std::io::IsTerminal as _;
use std::time::Duration;

use orquiva_core::webhook::outcome::Answer;
use orquiva_core::{Secret, Timestamp};
use orquiva_delivery::Reply;
use serde_json::{Value, json};

use super::{Event, Listen};

/// How it is shown.
pub(super) struct Show {
    as_json: bool,
    colours: bool,
}

const DIM: &str = "2";
const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";
const CYAN: &str = "36";

impl Show {
    /// Colours are for terminals, and for who did not decline them (no-color.org).
    pub(super) fn new(as_json: bool) -> Self {
        let declined = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { as_json, colours: !as_json && !declined && std::io::stdout().is_terminal() }
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.colours { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// That the stream is open.
    pub(super) fn begun(&self, wanted: &Listen, secret: &Secret) {
        let (events, server) = (&wanted.events, wanted.server.url());
        let to = wanted.forward_to.as_ref().map(ToString::to_string);
        if self.as_json {
            let secret = secret.expose();
            println!(
                "{}",
                json!({ "listening": true, "server": server, "events": events, "forwardTo": to, "secret": secret })
            );
            return;
        }
        println!("Listening to {} of {server} (Ctrl-C ends it)", self.paint(CYAN, events));
        match to {
            Some(to) => println!("Posting to {to}, signed with {}\n", self.paint(GREEN, secret.expose())),
            None => println!("Only showing them: --forward-to http://localhost:3000/hook posts them\n"),
        }
    }

    /// An event, and what came of posting it.
    pub(super) fn event(&self, at: Timestamp, event: &Event, parsed: &Value, reply: Option<&Reply>) {
        let Event { sequence, id, kind, .. } = event;
        if self.as_json {
            let told = reply.map(|reply| {
                let (status, error) = told(reply);
                json!({ "status": status, "error": error, "detail": reply.detail, "durationMs": reply.duration })
            });
            println!(
                "{}",
                json!({ "sequence": sequence, "type": kind, "id": id, "answer": told, "event": parsed })
            );
            return;
        }
        let at = at.to_string();
        let time = self.paint(DIM, at.get(11..23).unwrap_or(&at));
        let answer = reply.map(|reply| format!("  → {}", self.answer(reply))).unwrap_or_default();
        println!("{time}  #{sequence}  {}  {}{answer}", self.paint(CYAN, kind), self.paint(DIM, id));
    }

    fn answer(&self, reply: &Reply) -> String {
        let time = self.paint(DIM, &format!("{} ms", reply.duration));
        match told(reply) {
            (Some(status @ 200..=299), _) => format!("{} {time}", self.paint(GREEN, &status.to_string())),
            (Some(status), _) => {
                let line = reply.body.as_deref().unwrap_or_default().lines().next().unwrap_or_default();
                let line: String = line.chars().filter(|letter| !letter.is_control()).take(120).collect();
                format!("{} {time}  {line}", self.paint(YELLOW, &status.to_string()))
            }
            (None, error) => {
                let detail = reply.detail.as_deref().unwrap_or_default();
                format!("{} {time}  {detail}", self.paint(RED, error.unwrap_or_default()))
            }
        }
    }

    /// That the server cannot be reached, and is asked again.
    #[expect(clippy::print_stderr, reason = "what goes wrong on the way is no event")]
    pub(super) fn away(&self, error: &anyhow::Error, pause: Duration) {
        eprintln!("orquiva: {error:#}; coming back in {} s", pause.as_secs());
    }
}

/// The status, or why there is none.
fn told(reply: &Reply) -> (Option<u16>, Option<&'static str>) {
    match &reply.answer {
        Answer::Status { code, .. } => (Some(*code), None),
        Answer::Failed(failure) => (None, Some(failure.as_str())),
    }
}

//! `/admin/usage`: what the company uses of its plan, and how its deliveries come out.

mod chart;
pub(crate) mod export;
mod range;

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use orquiva_core::id::ClientId;
use orquiva_core::{Language, Timestamp};
use orquiva_store::client::{self, Client};
use orquiva_store::delivery::tally::{self, Counts};
use orquiva_store::usage::{self, Span};
use orquiva_store::{StoreError, Tx};

use self::chart::{Chart, Series};
use self::range::{Range, moment};
use crate::console::Console;
use crate::html::Plain;
use crate::member::Member;
use crate::page::{Here, Page, html};
use crate::show::number;
use crate::sign_in::Asked;
use crate::stop::Stop;

/// What one client used.
pub(crate) struct Used {
    id: ClientId,
    name: String,
    span: Span,
}

/// All that is known of a range: a span and counts for each part of it.
pub(crate) struct Known {
    range: Range,
    client: Option<ClientId>,
    starts: Vec<Timestamp>,
    spans: Vec<Span>,
    counts: Vec<Counts>,
    clients: Vec<Used>,
    /// Every client of the company, for the choice of one.
    every: Vec<Client>,
}

impl Known {
    /// Of what a query asks for.
    pub(crate) async fn of(
        console: &Console,
        member: &Member,
        asked: &HashMap<String, String>,
    ) -> Result<Self, Stop> {
        let text = |name: &str| asked.get(name).map_or("", String::as_str);
        let (range, wanted) = (Range::parse(text("range")), ClientId::parse(text("client")));
        let company = member.company.id;
        let starts = range.starts(console.clock.now());
        let (from, width) = (starts[0], range.width());
        let time = (from, from.plus(width * starts.len() as i64));
        let read = move |tx: Tx| async move {
            let every = client::list(&tx, company).await?;
            // Another company's client is none.
            let client = wanted.filter(|wanted| every.iter().any(|one| one.id == *wanted));
            let spans = usage::spans(&tx, company, client, time, width).await?;
            let totals = usage::totals(&tx, company, from).await?;
            let counts = tally::spans(&tx, company, time, width).await?;
            Ok::<_, StoreError>((every, client, spans, totals, counts))
        };
        let (every, client, spans, totals, counts) = console.store.scan(read).await?;
        let spans: HashMap<_, _> = spans.into_iter().map(|span| (span.start, span)).collect();
        let counts: HashMap<_, _> = counts.into_iter().collect();
        let used = |one: &Client| {
            let span = totals.get(&one.id)?;
            Some(Used { id: one.id, name: one.terms.name.clone(), span: *span })
        };
        let mut clients: Vec<_> = every.iter().filter_map(used).collect();
        clients.sort_by_key(|used| std::cmp::Reverse(used.span.requests));
        let empty = |start: &Timestamp| Span { start: *start, ..Span::default() };
        Ok(Self {
            range,
            client,
            spans: starts.iter().map(|at| spans.get(at).copied().unwrap_or(empty(at))).collect(),
            counts: starts.iter().map(|at| counts.get(at).copied().unwrap_or_default()).collect(),
            starts,
            clients,
            every,
        })
    }

    /// The most requests a minute that are let in.
    fn limit(&self, member: &Member) -> i64 {
        let plan = i64::from(member.company.plan.per_minute());
        let chosen = self.every.iter().find(|one| Some(one.id) == self.client);
        let share = chosen.and_then(|one| one.terms.share);
        share.map_or(plan, |share| (plan * i64::from(share) / 100).max(1))
    }

    /// All of it as one span.
    fn total(&self) -> Span {
        let sum = |of: fn(&Span) -> i64| self.spans.iter().map(of).sum();
        Span {
            start: self.starts[0],
            requests: sum(|span| span.requests),
            peak: self.spans.iter().map(|span| span.peak).max().unwrap_or(0),
            refused: sum(|span| span.refused),
            errors: sum(|span| span.errors),
        }
    }

    fn values(&self, of: impl Fn(&Span) -> i64) -> Vec<i64> {
        self.spans.iter().map(of).collect()
    }

    fn counted(&self, of: impl Fn(&Counts) -> i64) -> Vec<i64> {
        self.counts.iter().map(of).collect()
    }

    /// One line for each part: when it was, and its numbers in words.
    fn told(&self, language: Language, words: impl Fn(usize) -> String) -> Vec<String> {
        let line = |(at, start): (usize, &Timestamp)| format!("{}: {}", moment(*start, language), words(at));
        self.starts.iter().enumerate().map(line).collect()
    }

    fn rate(&self, member: &Member, language: Language) -> Chart {
        let n = |value| number(value, language);
        let words = |at: usize| {
            let Span { requests, peak, .. } = self.spans[at];
            let es = format!("{} peticiones por minuto como máximo, {} en total", n(peak), n(requests));
            let en = format!("{} requests a minute at most, {} altogether", n(peak), n(requests));
            language.pick(es, en)
        };
        let limit = self.limit(member);
        Chart {
            id: "rate",
            title: language.pick("Peticiones por minuto", "Requests a minute").to_owned(),
            series: vec![Series {
                name: language.pick("minuto con más peticiones", "busiest minute").to_owned(),
                class: "one",
                values: self.values(|span| span.peak),
            }],
            told: self.told(language, words),
            limit: Some((limit, language.pick("límite", "limit").to_owned())),
        }
    }

    fn trouble(&self, language: Language) -> Chart {
        let n = |value| number(value, language);
        let words = |at: usize| {
            let Span { refused, errors, .. } = self.spans[at];
            let es = format!("{} rechazadas (429), {} errores", n(refused), n(errors));
            language.pick(es, format!("{} refused (429), {} errors", n(refused), n(errors)))
        };
        let series = |name: &str, class, values| Series { name: name.to_owned(), class, values };
        Chart {
            id: "trouble",
            title: language.pick("Rechazos y errores", "Refusals and errors").to_owned(),
            series: vec![
                series(
                    language.pick("rechazadas (429)", "refused (429)"),
                    "warn",
                    self.values(|span| span.refused),
                ),
                series(
                    language.pick("otros errores (4xx, 5xx)", "other errors (4xx, 5xx)"),
                    "bad",
                    self.values(|span| span.errors),
                ),
            ],
            told: self.told(language, words),
            limit: None,
        }
    }

    fn deliveries(&self, language: Language) -> Chart {
        let n = |value| number(value, language);
        let words = |at: usize| {
            let Counts { delivered, retried, failed, .. } = self.counts[at];
            let es =
                format!("{} entregadas, {} por repetir, {} fallidas", n(delivered), n(retried), n(failed));
            let en = format!("{} delivered, {} to try again, {} failed", n(delivered), n(retried), n(failed));
            language.pick(es, en)
        };
        let series = |name: &str, class, values| Series { name: name.to_owned(), class, values };
        Chart {
            id: "deliveries",
            title: language.pick("Entregas de webhooks", "Webhook deliveries").to_owned(),
            series: vec![
                series(language.pick("entregadas", "delivered"), "good", self.counted(|one| one.delivered)),
                series(
                    language.pick("intentos que se repiten", "tries that are repeated"),
                    "warn",
                    self.counted(|one| one.retried),
                ),
                series(language.pick("fallidas", "failed"), "bad", self.counted(|one| one.failed)),
            ],
            told: self.told(language, words),
            limit: None,
        }
    }

    fn answers(&self, language: Language) -> Chart {
        let n = |value| number(value, language);
        let words = |at: usize| {
            let mean = mean(&self.counts[at]);
            let slowest = self.counts[at].slowest.max(mean);
            let es = format!("{} ms de media, {} ms como máximo", n(mean), n(slowest));
            language.pick(es, format!("{} ms on average, {} ms at most", n(mean), n(slowest)))
        };
        Chart {
            id: "answers",
            title: language
                .pick("Respuesta de sus webhooks, en ms", "Answers of your webhooks, in ms")
                .to_owned(),
            series: vec![Series {
                name: language.pick("media", "average").to_owned(),
                class: "one",
                values: self.counted(mean),
            }],
            told: self.told(language, words),
            limit: None,
        }
    }
}

/// How long an attempt took on average, in milliseconds. Less than one counts as one: there was an answer, and a bar tells so.
fn mean(counts: &Counts) -> i64 {
    match counts.attempts() {
        0 => 0,
        attempts => ((counts.millis + attempts / 2) / attempts).max(1),
    }
}

#[derive(Template)]
#[template(path = "usage/page.html")]
struct UsagePage {
    page: Page,
    known: Known,
    charts: Vec<Chart>,
    total: Span,
    limit: i64,
    /// Whether the numbers still move while one looks.
    live: bool,
}

impl UsagePage {
    /// The parts in which something happened, the newest first: the numbers of the first two charts, and of the others.
    fn spans(&self) -> Vec<&Span> {
        self.known.spans.iter().rev().filter(|span| span.requests > 0).collect()
    }

    fn counts(&self) -> Vec<(&Timestamp, &Counts)> {
        self.known.starts.iter().zip(&self.known.counts).rev().filter(|(_, one)| one.attempts() > 0).collect()
    }

    fn is_range(&self, range: &Range) -> bool {
        self.known.range == *range
    }

    fn at(&self, at: impl Plain<Timestamp>) -> String {
        moment(at.plain(), self.page.language())
    }

    fn is_chosen(&self, id: &ClientId) -> bool {
        self.known.client == Some(*id)
    }

    /// The query of another range, or of the same for another part of the page.
    fn query(&self, range: &Range) -> String {
        let client = self.known.client.map(|id| format!("&client={id}")).unwrap_or_default();
        format!("?range={}{client}", range.as_str())
    }

    /// How much of all requests a client made, in per cent.
    fn share(&self, used: &Used) -> i64 {
        let all: i64 = self.known.clients.iter().map(|one| one.span.requests).sum();
        (used.span.requests * 100 + all / 2).checked_div(all).unwrap_or(0)
    }
}

/// The page.
pub(crate) async fn show(
    State(console): State<Console>,
    member: Member,
    Query(asked): Asked,
) -> Result<Response, Stop> {
    let known = Known::of(&console, &member, &asked).await?;
    let language = member.guest.language;
    let charts = vec![
        known.rate(&member, language),
        known.trouble(language),
        known.deliveries(language),
        known.answers(language),
    ];
    Ok(html(&UsagePage {
        page: Page::of(&member, Some(Here::Usage), ("Uso", "Usage")),
        total: known.total(),
        limit: known.limit(&member),
        live: known.range == Range::Hour,
        charts,
        known,
    }))
}

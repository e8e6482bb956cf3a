//! Who reports to whom, as a picture that the server draws: from the left to the right, each beside their manager.

use std::collections::HashMap;
use std::fmt::Write as _;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Response};
use http::header;
use orquiva_core::Language;
use orquiva_core::id::EmployeeId;
use orquiva_core::search::name_key;
use orquiva_store::Tx;
use orquiva_store::employee::{self, Standing};

use crate::console::Console;
use crate::html::{Html, escape};
use crate::member::Member;
use crate::page::{Here, Page, html};
use crate::sign_in::Asked;
use crate::stop::Stop;

/// Most people of the picture in a page, and of one to keep: whoever is not in it is counted beside their manager.
const MOST: usize = 100;
const MOST_TO_KEEP: usize = 1_000;

/// Width and height of a box, and the space to the next one on its right and below.
const BOX: (usize, usize) = (216, 46);
const GAP: (usize, usize) = (44, 12);

/// Space around the picture.
const EDGE: usize = 12;

/// Most letters of a line in a box.
const LETTERS: usize = 27;

#[derive(Template)]
#[template(path = "people/chart.html")]
struct ChartPage {
    page: Page,
    picture: Option<Html>,
    /// Who stands at the left, if someone was chosen, and whom they report to.
    root: Option<(String, String)>,
    above: Option<(String, String)>,
}

/// The page.
pub(crate) async fn show(
    State(console): State<Console>,
    member: Member,
    Query(asked): Asked,
) -> Result<Response, Stop> {
    let chart = Chart::of(&console, &member, asked.get("root"), MOST).await?;
    let page = Page::of(&member, Some(Here::People), ("Organigrama", "Org chart"));
    let above = match chart.root.as_ref().and_then(|root| root.manager) {
        Some(id) => employee::named(&console.store.read().await?, member.company.id, id).await?,
        None => None,
    };
    let pair = |one: &Standing| (one.id.to_string(), one.full_name.clone());
    Ok(html(&ChartPage {
        picture: (!chart.people.is_empty()).then(|| Html::made(chart.drawn(page.language(), false))),
        root: chart.root.as_ref().map(pair),
        above: above.as_ref().map(pair),
        page,
    }))
}

/// The picture alone, to keep.
pub(crate) async fn download(
    State(console): State<Console>,
    member: Member,
    Query(asked): Asked,
) -> Result<Response, Stop> {
    let chart = Chart::of(&console, &member, asked.get("root"), MOST_TO_KEEP).await?;
    let language = member.guest.language;
    let name = language.pick("organigrama", "org-chart");
    let kind = (header::CONTENT_TYPE, "image/svg+xml; charset=utf-8".to_owned());
    let disposition = (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}.svg\""));
    Ok(([kind, disposition], chart.drawn(language, true)).into_response())
}

/// People, and where they stand.
struct Chart {
    /// Who was chosen to stand at the left.
    root: Option<Standing>,
    people: Vec<Standing>,
    /// How many report to each, also those who are not in the picture.
    reports: HashMap<EmployeeId, i64>,
}

impl Chart {
    /// Of someone and those below, or of the whole company: up to `most` people.
    async fn of(
        console: &Console,
        member: &Member,
        root: Option<&String>,
        most: usize,
    ) -> Result<Self, Stop> {
        let (tx, company) = (console.store.read().await?, member.company.id);
        let root = match root {
            Some(id) => {
                let id = EmployeeId::parse(id).ok_or(Stop::NotFound)?;
                Some(employee::named(&tx, company, id).await?.ok_or(Stop::NotFound)?)
            }
            None => None,
        };
        let mut people = match &root {
            Some(root) => vec![root.clone()],
            None => {
                let tops = async |tx: &Tx| employee::tops(tx, company, MOST_TO_KEEP as i64).await;
                console.tops.get(&tx, company, tops).await?
            }
        };
        people.truncate(most);
        let mut edge: Vec<EmployeeId> = people.iter().map(|one| one.id).collect();
        while people.len() < most && !edge.is_empty() {
            let left = most - people.len();
            let mut next = employee::below(&tx, company, &edge, left as i64).await?;
            // A chain of managers never closes, but the pages of one reading may be of two moments.
            next.retain(|one| !people.iter().any(|known| known.id == one.id));
            next.sort_by_cached_key(|one| name_key(&one.full_name));
            edge = next.iter().map(|one| one.id).collect();
            people.append(&mut next);
        }
        let ids: Vec<_> = people.iter().map(|one| one.id).collect();
        let reports = employee::counts(&tx, company, &ids).await?;
        Ok(Self { root, people, reports })
    }

    fn below(&self, id: EmployeeId) -> Vec<&Standing> {
        self.people.iter().filter(|one| one.manager == Some(id)).collect()
    }

    /// Those at the left.
    fn tops(&self) -> Vec<&Standing> {
        let known: Vec<_> = self.people.iter().map(|one| one.id).collect();
        let is_top = |one: &&Standing| match &self.root {
            Some(root) => root.id == one.id,
            None => one.manager.is_none_or(|manager| !known.contains(&manager)),
        };
        self.people.iter().filter(is_top).collect()
    }

    /// Each person with the place of the box.
    fn places(&self) -> HashMap<EmployeeId, (usize, usize)> {
        let (mut places, mut line) = (HashMap::new(), 0);
        for top in self.tops() {
            self.place(top, 0, &mut line, &mut places);
        }
        places
    }

    /// Places someone and all below; the middle of the box, in half lines.
    fn place(
        &self,
        one: &Standing,
        depth: usize,
        line: &mut usize,
        places: &mut HashMap<EmployeeId, (usize, usize)>,
    ) -> usize {
        let below = self.below(one.id);
        let at: Vec<_> = below.iter().map(|under| self.place(under, depth + 1, line, places)).collect();
        let middle = match (at.first(), at.last()) {
            (Some(first), Some(last)) => usize::midpoint(*first, *last),
            _ => {
                *line += 2;
                *line - 2
            }
        };
        places.insert(one.id, (depth, middle));
        middle
    }

    /// The picture; one that stands alone brings its looks along.
    fn drawn(&self, language: Language, alone: bool) -> String {
        let places = self.places();
        let (deepest, last) = places.values().fold((0, 0), |(x, y), at| (x.max(at.0), y.max(at.1)));
        let x = |depth: usize| EDGE + depth * (BOX.0 + GAP.0);
        let y = |line: usize| EDGE + line * (BOX.1 + GAP.1) / 2;
        let (width, height) = (x(deepest) + BOX.0 + EDGE + 40, y(last) + BOX.1 + EDGE);
        let title = language.pick("Organigrama", "Org chart");
        let mut svg = format!(
            r#"<svg class="chart" xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="group" aria-label="{title}">"#
        );
        if alone {
            svg.push_str(ALONE);
        }
        for one in &self.people {
            let (Some(to), Some(from)) = (places.get(&one.id), one.manager.and_then(|id| places.get(&id)))
            else {
                continue;
            };
            let (left, top) = (x(from.0) + BOX.0, y(from.1) + BOX.1 / 2);
            let (middle, bottom, right) = (left + GAP.0 / 2, y(to.1) + BOX.1 / 2, x(to.0));
            let _ = write!(svg, r#"<path class="way" d="M{left} {top}H{middle}V{bottom}H{right}"/>"#);
        }
        for one in &self.people {
            if let Some((depth, line)) = places.get(&one.id) {
                self.draw(&mut svg, one, (x(*depth), y(*line)), language, alone);
            }
        }
        svg.push_str("</svg>");
        svg
    }

    fn draw(
        &self,
        svg: &mut String,
        one: &Standing,
        (x, y): (usize, usize),
        language: Language,
        alone: bool,
    ) {
        let (name, job) =
            (escape(&short(&one.full_name)), escape(&short(one.job_title.as_deref().unwrap_or(""))));
        let (whole, id) = (escape(&one.full_name), one.id);
        let (width, height) = BOX;
        let (text, first, second) = (x + 12, y + if job.is_empty() { 28 } else { 20 }, y + 36);
        let mut drawn = format!(
            r#"<title>{whole}</title><rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6"/><text x="{text}" y="{first}">{name}</text>"#
        );
        if !job.is_empty() {
            let _ = write!(drawn, r#"<text class="job" x="{text}" y="{second}">{job}</text>"#);
        }
        let _ = match alone {
            true => write!(svg, "<g>{drawn}</g>"),
            false => write!(svg, r#"<a href="/admin/employees/{id}">{drawn}</a>"#),
        };
        let hidden = self.reports.get(&one.id).copied().unwrap_or(0) - self.below(one.id).len() as i64;
        if hidden > 0 {
            let (x, y) = (x + width + 6, y + 28);
            let count = crate::show::number(hidden, language);
            let what = language.pick("más a su cargo", "more reports");
            let more = format!(
                r#"<title>{count} {what}: {whole}</title><text class="more" x="{x}" y="{y}">+{count}</text>"#
            );
            let _ = match alone {
                true => write!(svg, "<g>{more}</g>"),
                false => write!(svg, r#"<a href="/admin/employees/chart?root={id}">{more}</a>"#),
            };
        }
    }
}

/// As much of a text as a box holds.
fn short(text: &str) -> String {
    match text.chars().count() > LETTERS {
        true => text.chars().take(LETTERS - 1).chain(['…']).collect(),
        false => text.to_owned(),
    }
}

/// The looks of a picture that stands alone, in light and dark.
const ALONE: &str = "<style>text{font:600 13px system-ui,sans-serif;fill:#1b1a22}.job{font-weight:400;font-size:12px;fill:#5d5b6b}\
.more{fill:#5f35c9}rect{fill:#fff;stroke:#8d8d9c}.way{fill:none;stroke:#8d8d9c}\
@media(prefers-color-scheme:dark){text{fill:#ecebf2}.job{fill:#a3a1b1}.more{fill:#b49cff}rect{fill:#1a191f;stroke:#74727f}.way{stroke:#74727f}}</style>";

//! The small parts that pages are made of, written once: icons, fields, code to copy.

use std::fmt::Write as _;

use askama::filters::HtmlSafe;
use orquiva_core::Timestamp;

use crate::form::TOKEN;
use crate::page::Page;
use crate::show::{Moment, date, number};

/// HTML that is right as it is: whatever was put into it has been escaped.
pub(crate) struct Html(pub(crate) String);

impl std::fmt::Display for Html {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl HtmlSafe for Html {}

impl Html {
    /// What a page has made by itself; it has escaped what it put into it.
    pub(crate) fn made(html: String) -> Self {
        Self(html)
    }
}

/// Escapes what stands in HTML, also in an attribute.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Pictures on a grid of 24, drawn with lines.
const ICONS: &[(&str, &str)] = &[
    ("home", "M3 11.5 12 4l9 7.5M5.5 10v9.5h13V10M10 19.5v-5h4v5"),
    ("key", "M14.5 9.5a5 5 0 1 0-4 4.9L12 16h2v2h2v2.5h4V17l-5.6-5.6c.06-.6.1-1.2.1-1.9ZM8.5 8.5h.01"),
    (
        "people",
        "M15.5 19v-1.5a3.5 3.5 0 0 0-3.5-3.5H6.5A3.5 3.5 0 0 0 3 17.5V19M9.2 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7ZM21 19v-1.5a3.5 3.5 0 0 0-2.7-3.4M15.8 4.2a3.5 3.5 0 0 1 0 6.7",
    ),
    ("tree", "M9 4h6v5H9ZM3 15h6v5H3ZM15 15h6v5h-6ZM12 9v3M6 15v-3h12v3"),
    (
        "hook",
        "M10.5 8.8a3.5 3.5 0 1 1 4.9-3.2c0 1-.4 1.8-1 2.4l3 5.2M12 5.6 8.2 13M8.5 14.5a3.5 3.5 0 1 0-1 5.9c1-.5 1.8-1.4 2-2.4h7.3M18 14a3.5 3.5 0 1 1-3 5.6",
    ),
    ("list", "M8 6h12M8 12h12M8 18h12M4 6h.01M4 12h.01M4 18h.01"),
    ("chart", "M4 20h16M6.5 16v-5M11 16V6M15.5 16v-7M20 16v-3"),
    ("shield", "M12 3.5 5 6v5.5c0 4.2 2.9 7.4 7 9 4.1-1.6 7-4.8 7-9V6ZM9 12l2.2 2.2L15.2 10"),
    (
        "gear",
        "M12 15.2a3.2 3.2 0 1 0 0-6.4 3.2 3.2 0 0 0 0 6.4ZM12 3v2.5M12 18.5V21M3 12h2.5M18.5 12H21M5.6 5.6l1.8 1.8M16.6 16.6l1.8 1.8M18.4 5.6l-1.8 1.8M7.4 16.6l-1.8 1.8",
    ),
    ("user", "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM4.5 20a7.5 7.5 0 0 1 15 0"),
    ("plus", "M12 5v14M5 12h14"),
    ("check", "M5 12.5 10 17.5 19.5 7"),
    ("alert", "M12 4 2.8 19.5h18.4ZM12 10v4M12 17h.01"),
    ("left", "M14.5 6 8.5 12l6 6"),
    ("right", "M9.5 6l6 6-6 6"),
    ("copy", "M9 9h11v11H9ZM5 15H4V4h11v1"),
    ("out", "M14 4h5v16h-5M4 12h10M10.5 8l4 4-4 4"),
    ("menu", "M4 7h16M4 12h16M4 17h16"),
    (
        "sun",
        "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M18.7 5.3l-1.4 1.4M6.7 17.3l-1.4 1.4",
    ),
    ("moon", "M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5Z"),
    ("half", "M12 20.5a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17ZM12 3.5v17M14 5v14M16.5 6.5v11M19 9v6"),
    ("again", "M4 12a8 8 0 0 1 13.7-5.6L20 8.7M20 4v4.7h-4.7M20 12a8 8 0 0 1-13.7 5.6L4 15.3M4 20v-4.7h4.7"),
    ("down", "M12 4v12M7 11.5l5 5 5-5M5 20h14"),
    ("up", "M12 20V8M7 12.5l5-5 5 5M5 4h14"),
    ("trash", "M4 7h16M9.5 7V4h5v3M6.5 7l1 13h9l1-13M10.5 11v5.5M13.5 11v5.5"),
];

/// A value, however many references a template puts before it.
pub(crate) trait Plain<T> {
    /// The value itself.
    fn plain(&self) -> T;
}

impl Plain<Timestamp> for Timestamp {
    fn plain(&self) -> Timestamp {
        *self
    }
}

impl Plain<i64> for i64 {
    fn plain(&self) -> i64 {
        *self
    }
}

impl Plain<i64> for usize {
    fn plain(&self) -> i64 {
        i64::try_from(*self).unwrap_or(i64::MAX)
    }
}

impl<T, P: Plain<T> + ?Sized> Plain<T> for &P {
    fn plain(&self) -> T {
        (**self).plain()
    }
}

impl Page {
    /// A picture that says nothing by itself: the text beside it does.
    pub(crate) fn icon(&self, name: &str) -> Html {
        let path = ICONS.iter().find(|(known, _)| *known == name).map_or("", |(_, path)| path);
        Html(format!(r#"<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d="{path}"/></svg>"#))
    }

    /// The mark of the house.
    pub(crate) fn mark(&self) -> Html {
        Html(
            r#"<svg class="mark" viewBox="0 0 24 24" aria-hidden="true"><path d="M12 2c3 2.6 4.2 5 4.2 7.2A7.5 7.5 0 0 1 21.5 12a7.5 7.5 0 0 1-5.3 2.8C16.2 17 15 19.4 12 22c-3-2.6-4.2-5-4.2-7.2A7.5 7.5 0 0 1 2.5 12a7.5 7.5 0 0 1 5.3-2.8C7.8 7 9 4.6 12 2Z"/><circle cx="12" cy="12" r="2.6"/></svg>"#
                .to_owned(),
        )
    }

    /// What every form carries to prove that it is ours.
    pub(crate) fn token(&self) -> Html {
        Html(format!(r#"<input type="hidden" name="{TOKEN}" value="{}">"#, escape(&self.form_token)))
    }

    /// A moment, which the browser shows in its own zone.
    pub(crate) fn moment(&self, at: impl Plain<Timestamp>) -> Moment {
        Moment(at.plain(), self.language())
    }

    /// A whole number with its thousands parted.
    pub(crate) fn number(&self, value: impl Plain<i64>) -> String {
        number(value.plain(), self.language())
    }

    /// A day `YYYY-MM-DD` as it is read.
    pub(crate) fn date(&self, day: &str) -> String {
        date(day, self.language())
    }

    /// A field with its label, what to know about it, and what is wrong with it. `complete` is what a browser may fill in.
    #[expect(
        clippy::too_many_arguments,
        reason = "each is one attribute of a field, and every page names them in this order"
    )]
    pub(crate) fn field(
        &self,
        name: &str,
        label: &str,
        value: impl AsRef<str>,
        kind: &str,
        complete: &str,
        fault: &str,
        note: &str,
    ) -> Html {
        let (label, value, fault, note) =
            (escape(label), escape(value.as_ref()), escape(fault), escape(note));
        let mut told = Vec::new();
        let mut html = format!(r#"<p class="field"><label for="{name}">{label}</label>"#);
        if !note.is_empty() {
            told.push(format!("{name}-note"));
        }
        if !fault.is_empty() {
            told.push(format!("{name}-fault"));
        }
        let described = match told.is_empty() {
            true => String::new(),
            false => format!(r#" aria-describedby="{}""#, told.join(" ")),
        };
        let invalid = if fault.is_empty() { "" } else { r#" aria-invalid="true""# };
        let _ = write!(
            html,
            r#"<input id="{name}" name="{name}" type="{kind}" value="{value}" autocomplete="{complete}"{described}{invalid}>"#
        );
        if !note.is_empty() {
            let _ = write!(html, r#"<span class="note" id="{name}-note">{note}</span>"#);
        }
        if !fault.is_empty() {
            let _ =
                write!(html, r#"<span class="fault" id="{name}-fault">{}{fault}</span>"#, self.icon("alert"));
        }
        html.push_str("</p>");
        Html(html)
    }

    /// A text with a button that copies it, under its name if it has one.
    pub(crate) fn copy(&self, name: &str, value: impl AsRef<str>) -> Html {
        let (value, copy) = (escape(value.as_ref()), self.t("Copiar", "Copy"));
        let label = match name {
            "" => String::new(),
            name => format!(r#"<span class="label">{}</span>"#, escape(name)),
        };
        Html(format!(
            r#"<span class="copy">{label}<code>{value}</code><button type="button" class="ghost icon-only" data-copy title="{copy}">{}<span class="hidden">{copy} {}</span></button></span>"#,
            self.icon("copy"),
            escape(name),
        ))
    }

    /// Lines of code with a button that copies them.
    pub(crate) fn code(&self, code: impl AsRef<str>) -> Html {
        let copy = self.t("Copiar", "Copy");
        Html(format!(
            r#"<div class="code"><pre tabindex="0"><code>{}</code></pre><button type="button" class="ghost icon-only" data-copy title="{copy}">{}<span class="hidden">{copy}</span></button></div>"#,
            escape(code.as_ref().trim()),
            self.icon("copy"),
        ))
    }
}

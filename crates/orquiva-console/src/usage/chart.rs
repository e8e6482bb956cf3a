//! A chart as SVG, made here: bars one over the other, a line for a limit, and over each part of the time something that
//! can be pointed at and reached by keyboard, with the numbers in words.

use std::fmt::Write as _;

use crate::html::{Html, escape};

/// The grid on which it is drawn; the page stretches it.
const WIDTH: i64 = 1200;
const HEIGHT: i64 = 200;

/// One kind of what is counted.
pub(crate) struct Series {
    pub(crate) name: String,
    /// How it looks.
    pub(crate) class: &'static str,
    pub(crate) values: Vec<i64>,
}

/// A chart.
pub(crate) struct Chart {
    pub(crate) id: &'static str,
    pub(crate) title: String,
    pub(crate) series: Vec<Series>,
    /// What each part of the time is called, and all of its numbers in words.
    pub(crate) told: Vec<String>,
    /// A limit, and what it is called.
    pub(crate) limit: Option<(i64, String)>,
}

impl Chart {
    /// Whether there is anything to see.
    pub(crate) fn is_empty(&self) -> bool {
        self.series.iter().all(|series| series.values.iter().all(|value| *value == 0))
    }

    fn stacked(&self, at: usize) -> i64 {
        self.series.iter().map(|series| series.values.get(at).copied().unwrap_or(0)).sum()
    }

    /// The greatest value of the scale. A limit that is far above everything would leave nothing to see.
    pub(crate) fn top(&self) -> i64 {
        let most = (0..self.told.len()).map(|at| self.stacked(at)).max().unwrap_or(0);
        match self.limit {
            Some((limit, _)) if most.saturating_mul(20) >= limit => round_up(most.max(limit)),
            _ => round_up(most),
        }
    }

    /// Whether the limit is in the picture.
    pub(crate) fn shows_limit(&self) -> bool {
        self.limit.as_ref().is_some_and(|(limit, _)| *limit <= self.top())
    }

    /// The picture.
    pub(crate) fn svg(&self) -> Html {
        let (count, top) = (self.told.len().max(1) as i64, self.top().max(1));
        let (id, title) = (self.id, escape(&self.title));
        let mut svg = format!(
            r#"<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="group" aria-label="{title}" data-plot="{id}">"#
        );
        for part in 1..4 {
            let y = HEIGHT * part / 4;
            let _ = write!(svg, r#"<path class="grid" d="M0 {y}H{WIDTH}"/>"#);
        }
        let left = |at: usize| WIDTH * at as i64 / count;
        let mut below = vec![0_i64; self.told.len()];
        for series in &self.series {
            let mut path = String::new();
            for (at, value) in series.values.iter().enumerate().filter(|(_, value)| **value > 0) {
                let (x, next) = (left(at) + 1, left(at + 1) - 1);
                let foot = HEIGHT - HEIGHT * below[at] / top;
                below[at] += value;
                // What is there is seen, however little it is.
                let head = (HEIGHT - HEIGHT * below[at] / top).min(foot - 2).max(0);
                let _ = write!(path, "M{x} {foot}V{head}H{next}V{foot}z");
            }
            if !path.is_empty() {
                let _ = write!(svg, r#"<path class="bar {}" d="{path}"/>"#, series.class);
            }
        }
        if let Some((limit, _)) = self.limit.as_ref().filter(|_| self.shows_limit()) {
            let y = (HEIGHT - HEIGHT * limit / top).max(1);
            let _ = write!(svg, r#"<path class="limit" d="M0 {y}H{WIDTH}"/>"#);
        }
        for (at, told) in self.told.iter().enumerate() {
            let (x, width) = (left(at), left(at + 1) - left(at));
            let stop = if at + 1 == self.told.len() { 0 } else { -1 };
            let _ = write!(
                svg,
                r#"<rect class="hit" x="{x}" width="{width}" height="{HEIGHT}" tabindex="{stop}" role="img"><title>{}</title></rect>"#,
                escape(told)
            );
        }
        svg.push_str("</svg>");
        Html(svg)
    }
}

/// The next round number: 1, 2 or 5 with zeros.
fn round_up(value: i64) -> i64 {
    let mut power = 1_i64;
    loop {
        for step in [1, 2, 5] {
            if step * power >= value {
                return step * power;
            }
        }
        power = power.saturating_mul(10);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(values: Vec<i64>, limit: i64) -> Chart {
        Chart {
            id: "c",
            title: "t".to_owned(),
            told: values.iter().map(|value| format!("<{value}>")).collect(),
            series: vec![Series { name: "s".to_owned(), class: "one", values }],
            limit: Some((limit, "l".to_owned())),
        }
    }

    #[test]
    fn a_limit_is_shown_where_it_leaves_something_to_see() {
        assert_eq!((chart(vec![0, 40], 100).top(), chart(vec![0, 40], 100).shows_limit()), (100, true));
        assert_eq!((chart(vec![0, 4], 100).top(), chart(vec![0, 4], 100).shows_limit()), (5, false));
        assert_eq!((chart(vec![120], 100).top(), chart(vec![120], 100).shows_limit()), (200, true));
        assert!(chart(vec![0, 0], 100).is_empty());
        assert_eq!([0, 1, 3, 6, 11, 999, 1001].map(round_up), [1, 1, 5, 10, 20, 1000, 2000]);
    }

    #[test]
    fn every_part_can_be_reached_and_says_its_numbers() {
        let svg = chart(vec![1, 0, 3], 2).svg().to_string();
        assert_eq!(svg.matches("role=\"img\"").count(), 3);
        assert_eq!(svg.matches("tabindex=\"0\"").count(), 1, "one stop for the whole chart");
        assert!(svg.contains("<title>&lt;3&gt;</title>") && svg.contains("class=\"limit\""));
    }
}

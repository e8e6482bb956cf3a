//! Figures: medians over rounds, ours beside the limit of the same run, as a Markdown table.

use std::time::Duration;

use crate::machine::Used;

/// One side in one round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// A second.
    pub(crate) rate: f64,
    /// Seconds of CPU of the servers, for 1,000.
    pub(crate) servers: f64,
    /// The same of what made the load.
    pub(crate) generators: f64,
}

impl Sample {
    pub(crate) fn of(count: u64, time: Duration, used: Used) -> Self {
        let thousands = count as f64 / 1000.0;
        let (servers, generators) = (used.servers / thousands, used.generators / thousands);
        Self { rate: count as f64 / time.as_secs_f64(), servers, generators }
    }
}

/// One side in all rounds.
#[derive(Debug, Default)]
pub(crate) struct Series(Vec<Sample>);

impl Series {
    pub(crate) fn push(&mut self, sample: Sample) {
        self.0.push(sample);
    }

    /// That of the round that ended just now.
    pub(crate) fn last_rate(&self) -> f64 {
        self.0.last().map_or(0.0, |sample| sample.rate)
    }

    pub(crate) fn rate(&self) -> f64 {
        median(self.0.iter().map(|sample| sample.rate).collect())
    }

    pub(crate) fn servers(&self) -> f64 {
        median(self.0.iter().map(|sample| sample.servers).collect())
    }

    fn generators(&self) -> f64 {
        median(self.0.iter().map(|sample| sample.generators).collect())
    }
}

/// The middle one; of none, zero.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// A line of the table.
pub(crate) struct Row {
    what: String,
    cells: Vec<String>,
    targets: Vec<(String, bool)>,
}

const NONE: &str = "–";

impl Row {
    /// Rates with their CPU; `limit` is the other side, by name.
    pub(crate) fn rates(what: &str, note: &str, ours: &Series, limit: Option<(&str, &Series)>) -> Self {
        let own = format!("{}/s{note}", grouped(ours.rate()));
        let (other, ratio, cpu, generator) = match limit {
            Some((name, limit)) => (
                format!("{}/s, {name}", grouped(limit.rate())),
                format!("{:.2}", ours.rate() / limit.rate()),
                seconds(limit.servers()),
                format!("{:.4} / {:.4}", ours.generators(), limit.generators()),
            ),
            None => (NONE.into(), NONE.into(), NONE.into(), format!("{:.4}", ours.generators())),
        };
        let cells = vec![own, other, ratio, seconds(ours.servers()), cpu, generator];
        Self { what: what.to_owned(), cells, targets: Vec::new() }
    }

    /// A figure that has no limit beside it.
    pub(crate) fn figure(what: &str, ours: String) -> Self {
        let mut cells = vec![NONE.to_owned(); 6];
        cells[0] = ours;
        Self { what: what.to_owned(), cells, targets: Vec::new() }
    }

    /// What the issue asks for, or with `aim` in front what the architecture does.
    pub(crate) fn target(mut self, text: &str, reached: bool) -> Self {
        self.targets.push((text.to_owned(), reached));
        self
    }

    fn line(&self) -> String {
        let targets: Vec<_> = self.targets.iter().map(|(text, _)| text.as_str()).collect();
        let reached: Vec<_> =
            self.targets.iter().map(|(_, reached)| if *reached { "yes" } else { "no" }).collect();
        let all = [self.what.as_str()].into_iter().chain(self.cells.iter().map(String::as_str));
        let all: Vec<_> = all.map(str::to_owned).chain([targets.join("; "), reached.join("; ")]).collect();
        format!("| {} |", all.join(" | "))
    }
}

/// Seconds of CPU; none where the processes could not be seen.
fn seconds(used: f64) -> String {
    if used == 0.0 { NONE.to_owned() } else { format!("{used:.4}") }
}

/// The table of one engine.
pub(crate) fn table(title: &str, rows: &[Row], remarks: &[String]) -> String {
    let mut text = format!(
        "\n## {title}\n\n\
         | scenario | ours (median) | limit | ratio | CPU s per 1,000: ours | limit | load: ours / limit | target | reached? |\n\
         |---|---|---|---|---|---|---|---|---|\n"
    );
    for row in rows {
        text.push_str(&row.line());
        text.push('\n');
    }
    for remark in remarks {
        text.push_str(&format!("\n{remark}\n"));
    }
    text
}

/// A whole number with commas between the thousands.
pub(crate) fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_in_groups_and_the_median_is_the_middle_one() {
        assert_eq!([grouped(7.4), grouped(1234.0), grouped(1e6)], ["7", "1,234", "1,000,000"]);
        assert_eq!(median(vec![9.0, 1.0, 4.0]), 4.0);
    }
}

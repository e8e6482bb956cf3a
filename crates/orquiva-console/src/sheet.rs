//! Tables as files for spreadsheets (RFC 4180).

use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::header;
use http_body_util::Full;

/// What a spreadsheet takes for the beginning of a formula, also in its full-width forms.
const FORMULA: &[char] = &['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

/// What tells a spreadsheet that the file is UTF-8.
pub(crate) const MARK: &str = "\u{feff}";

/// One line of a file, with its end. A text that a spreadsheet would run as a formula stands behind an apostrophe, which
/// makes it a text there too.
pub(crate) fn line<C: AsRef<str>>(cells: impl IntoIterator<Item = C>) -> String {
    let mut line = String::new();
    for (at, cell) in cells.into_iter().enumerate() {
        if at > 0 {
            line.push(',');
        }
        let cell = cell.as_ref();
        let guard = if cell.starts_with(FORMULA) && cell.parse::<f64>().is_err() { "'" } else { "" };
        match cell.contains([',', '"', '\r', '\n', ';', '\t']) {
            true => line.push_str(&format!("\"{guard}{}\"", cell.replace('"', "\"\""))),
            false => line.extend([guard, cell]),
        }
    }
    line.push_str("\r\n");
    line
}

/// The head of an answer that a browser stores under `name`.
pub(crate) fn head(name: &str, kind: &'static str) -> [(header::HeaderName, String); 2] {
    [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ]
}

/// The type of such a file.
pub(crate) const CSV: &str = "text/csv; charset=utf-8";

/// A short table as a file: its lines stand in memory.
pub(crate) fn file(name: &str, lines: impl IntoIterator<Item = String>) -> Response {
    let text: String = std::iter::once(MARK.to_owned()).chain(lines).collect();
    (head(name, CSV), axum::body::Body::new(Full::new(Bytes::from(text)))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_never_runs_as_a_formula_and_never_breaks_its_line() {
        assert_eq!(line(["a", "b c", ""]), "a,b c,\r\n");
        assert_eq!(line(["a,b", "say \"no\"", "x\ny"]), "\"a,b\",\"say \"\"no\"\"\",\"x\ny\"\r\n");
        assert_eq!(line(["=1+1", "@SUM(A1)", "+34 600", "-5"]), "'=1+1,'@SUM(A1),'+34 600,-5\r\n");
        assert_eq!(line(["\t=1", "＝1"]), "\"'\t=1\",'＝1\r\n");
    }
}

//! What the API says of a form that it refused, beside the fields that are to blame.

use orquiva_core::Language;
use orquiva_web::Refused;
use serde_json::Value;

use crate::show::Faults;
use crate::stop::Stop;

/// Under this name stands what is wrong with a form as a whole.
pub(crate) const WHOLE: &str = "";

/// What is wrong with a form, by the names of its fields: the path in the body, its parts joined by dots. A refusal that
/// is no answer to a form stops the page.
pub(crate) fn faults(refused: Refused, language: Language) -> Result<Faults, Stop> {
    if !matches!(refused.status(), 400 | 409 | 422) {
        return Err(refused.into());
    }
    Ok(faults_in(&refused.told(language), ""))
}

/// What is wrong by a problem of the API's, whose pointers begin with `within`.
pub(crate) fn faults_in(told: &Value, within: &str) -> Faults {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut faults = Faults::default();
    for error in told["errors"].as_array().into_iter().flatten() {
        let pointer = text(&error["pointer"]);
        let path = pointer.strip_prefix(within).unwrap_or(&pointer).trim_start_matches('/');
        let name = path.replace('/', ".").replace("~1", "/").replace("~0", "~");
        faults.add(&name, text(&error["detail"]));
    }
    if faults.is_empty() {
        faults.add(WHOLE, text(&told["detail"]));
    }
    faults
}

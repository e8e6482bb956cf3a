//! Whether a value is what a schema of the description says. It knows what our schemas use, and no more.

use serde_json::Value;

/// The schemas of a description.
pub(crate) struct Shapes<'d>(&'d Value);

impl<'d> Shapes<'d> {
    pub(crate) fn of(document: &'d Value) -> Self {
        Self(document)
    }

    /// The target of a reference, or the value itself.
    pub(crate) fn resolve<'s>(&self, value: &'s Value) -> &'s Value
    where
        'd: 's,
    {
        match value["$ref"].as_str() {
            Some(target) => {
                self.0.pointer(target.trim_start_matches('#')).expect("a reference leads somewhere")
            }
            None => value,
        }
    }

    /// Where and how `value` differs from `schema`.
    pub(crate) fn faults(&self, schema: &Value, value: &Value) -> Vec<String> {
        let mut faults = Vec::new();
        self.compare(schema, value, "", &mut faults);
        faults
    }

    fn compare(&self, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
        let schema = self.resolve(schema);
        if value.is_null() && schema["nullable"] == true {
            return;
        }
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.compare(part, value, at, faults);
        }
        for choices in ["anyOf", "oneOf"] {
            if let Some(choices) = schema[choices].as_array()
                && choices.iter().all(|choice| !self.faults(choice, value).is_empty())
            {
                faults.push(format!("{at}: none of the choices"));
            }
        }
        if !is_of_type(&schema["type"], value) {
            return faults.push(format!("{at}: {value} is no {}", schema["type"]));
        }
        let one_of = schema["enum"].as_array().is_none_or(|words| words.contains(value));
        if !one_of || schema.get("const").is_some_and(|only| only != value) {
            faults.push(format!("{at}: {value} is none of the words"));
        }
        if let (Some(prefix), Some(text)) = (id_prefix(schema), value.as_str())
            && !(text.starts_with(prefix) && text.len() == prefix.len() + 27)
        {
            faults.push(format!("{at}: {text} is no {prefix}_…"));
        }
        for (index, entry) in value.as_array().into_iter().flatten().enumerate() {
            self.compare(&schema["items"], entry, &format!("{at}/{index}"), faults);
        }
        if let Some(object) = value.as_object() {
            self.compare_fields(schema, object, at, faults);
        }
    }

    fn compare_fields(
        &self,
        schema: &Value,
        object: &serde_json::Map<String, Value>,
        at: &str,
        faults: &mut Vec<String>,
    ) {
        for name in schema["required"].as_array().into_iter().flatten() {
            if !object.contains_key(name.as_str().unwrap()) {
                faults.push(format!("{at}: {name} is missing"));
            }
        }
        for (name, value) in object {
            let at = format!("{at}/{name}");
            match (schema["properties"].get(name), &schema["additionalProperties"]) {
                (Some(field), _) => self.compare(field, value, &at, faults),
                (None, others @ Value::Object(_)) => self.compare(others, value, &at, faults),
                (None, Value::Bool(true)) => {}
                // We describe all that we show, though a client has to bear more.
                (None, _) if schema["properties"].is_object() => {
                    faults.push(format!("{at} is not described"))
                }
                (None, _) => {}
            }
        }
    }
}

fn is_of_type(kind: &Value, value: &Value) -> bool {
    let is = |kind: &Value| match kind.as_str() {
        Some("null") => value.is_null(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("string") => value.is_string(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        _ => false,
    };
    match kind {
        Value::Null => true,
        Value::Array(kinds) => kinds.iter().any(is),
        kind => is(kind),
    }
}

/// What the id that a schema describes begins with.
fn id_prefix(schema: &Value) -> Option<&str> {
    let (prefix, rest) = schema["pattern"].as_str()?.strip_prefix('^')?.split_once('_')?;
    rest.starts_with("[0-7]").then_some(prefix)
}

/// Shows `see` each value with its name, from the outside to the inside.
pub(crate) fn each(value: &Value, see: &mut impl FnMut(Option<&str>, &Value)) {
    fn go(name: Option<&str>, value: &Value, see: &mut impl FnMut(Option<&str>, &Value)) {
        see(name, value);
        match value {
            Value::Object(map) => map.iter().for_each(|(name, value)| go(Some(name), value, see)),
            Value::Array(list) => list.iter().for_each(|value| go(None, value, see)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    go(None, value, see);
}

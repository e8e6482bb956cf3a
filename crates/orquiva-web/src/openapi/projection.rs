//! The document as OpenAPI 3.0.3, for tools that know no later version: the same operations and schemas, without
//! `webhooks`.

use serde_json::{Value, json};

/// `document` (3.1) as 3.0.3.
pub(super) fn older(document: &Value) -> Value {
    let mut older = document.clone();
    if let Some(root) = older.as_object_mut() {
        root.shift_remove("webhooks");
        root.shift_remove("jsonSchemaDialect");
    }
    older["info"].as_object_mut().map(|info| info.shift_remove("summary"));
    older["openapi"] = "3.0.3".into();
    let license = older["info"]["license"]["name"].clone();
    older["info"]["license"] =
        json!({ "name": license, "url": "https://www.apache.org/licenses/LICENSE-2.0" });
    if let Some(schemas) = older["components"]["schemas"].as_object_mut() {
        schemas.values_mut().for_each(schema);
    }
    inside(&mut older);
    older
}

/// Finds the schemas outside of `components/schemas`.
fn inside(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (name, value) in map.iter_mut() {
                match name.as_str() {
                    "schema" => schema(value),
                    "example" | "examples" | "schemas" => {}
                    _ => inside(value),
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(inside),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Rewrites a schema and those within it.
fn schema(value: &mut Value) {
    let Some(map) = value.as_object_mut() else { return };
    if let Some(Value::Array(kinds)) = map.get("type").cloned() {
        let kind = kinds.into_iter().find(|kind| kind != "null").unwrap_or_default();
        map.insert("type".to_owned(), kind);
        map.insert("nullable".to_owned(), true.into());
    }
    if let Some(only) = map.shift_remove("const") {
        map.insert("enum".to_owned(), json!([only]));
    }
    if let Some(Value::Array(mut examples)) = map.shift_remove("examples")
        && !examples.is_empty()
    {
        map.insert("example".to_owned(), examples.swap_remove(0));
    }
    map.shift_remove("propertyNames");
    if let Some(Value::Array(choices)) = map.get_mut("anyOf") {
        let all = choices.len();
        choices.retain(|choice| choice.get("type").is_none_or(|kind| kind != "null"));
        if choices.len() < all && choices.len() > 1 {
            choices.iter_mut().for_each(|choice| choice["nullable"] = true.into());
        } else if choices.len() < all {
            let rest = map.shift_remove("anyOf").unwrap_or_default();
            // `nullable` holds only beside a type, and it is objects that have names.
            map.insert("type".to_owned(), "object".into());
            map.insert("allOf".to_owned(), rest);
            map.insert("nullable".to_owned(), true.into());
        }
    }
    for name in ["allOf", "anyOf", "oneOf"] {
        if let Some(Value::Array(choices)) = map.get_mut(name) {
            choices.iter_mut().for_each(schema);
        }
    }
    for name in ["items", "additionalProperties", "not"] {
        if let Some(inner) = map.get_mut(name) {
            schema(inner);
        }
    }
    if let Some(Value::Object(properties)) = map.get_mut("properties") {
        properties.values_mut().for_each(schema);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_null_is_nullable_and_one_example_is_left() {
        let mut new = json!({
            "type": ["object", "null"],
            "propertyNames": { "pattern": "^a" },
            "properties": {
                "a": { "anyOf": [{ "$ref": "#/x" }, { "type": "null" }], "examples": [1, 2] },
                "b": { "const": "x", "type": "string" },
                "c": { "anyOf": [{ "type": "string" }, { "type": "number" }, { "type": "null" }] },
            },
        });
        schema(&mut new);
        let old = json!({
            "type": "object",
            "properties": {
                "a": { "example": 1, "type": "object", "allOf": [{ "$ref": "#/x" }], "nullable": true },
                "b": { "type": "string", "enum": ["x"] },
                "c": { "anyOf": [{ "type": "string", "nullable": true }, { "type": "number", "nullable": true }] },
            },
            "nullable": true,
        });
        assert_eq!(new, old);
    }
}

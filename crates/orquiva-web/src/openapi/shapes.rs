//! The vocabulary in which the schemas are written, and the resource: one list of fields, from which follow what is
//! read, what is written and what is changed.

use serde_json::{Map, Value, json};

/// A text of one line.
pub(super) fn text(max: usize) -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": max })
}

/// Any text.
pub(super) fn string() -> Value {
    json!({ "type": "string" })
}

/// A text of this form.
pub(super) fn pattern(pattern: &str) -> Value {
    json!({ "type": "string", "pattern": pattern })
}

/// An id of this kind.
pub(super) fn id(prefix: &str) -> Value {
    pattern(&format!("^{prefix}_[0-7][0-9A-HJKMNP-TV-Z]{{25}}$"))
}

/// A moment (RFC 3339, UTC).
pub(super) fn moment() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

/// A day.
pub(super) fn day() -> Value {
    json!({ "type": "string", "format": "date" })
}

/// An e-mail address.
pub(super) fn address_of_mail() -> Value {
    json!({ "type": "string", "format": "email", "maxLength": 254 })
}

/// A web address.
pub(super) fn address() -> Value {
    json!({ "type": "string", "format": "uri", "maxLength": 2048 })
}

/// One of these words.
pub(super) fn word(all: &[&str]) -> Value {
    json!({ "type": "string", "enum": all })
}

/// Yes or no.
pub(super) fn flag() -> Value {
    json!({ "type": "boolean" })
}

/// A whole number from `min` to `max`.
pub(super) fn whole(min: i64, max: i64) -> Value {
    json!({ "type": "integer", "minimum": min, "maximum": max })
}

/// A number of things.
pub(super) fn count() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

/// A list.
pub(super) fn list(items: Value) -> Value {
    json!({ "type": "array", "items": items })
}

/// A map from any name to values of one form.
pub(super) fn map(values: Value) -> Value {
    json!({ "type": "object", "additionalProperties": values })
}

/// A schema that has a name.
pub(super) fn refer(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// The same, or nothing.
pub(super) fn nullable(mut schema: Value) -> Value {
    if let Some(choices) = schema.get_mut("anyOf").and_then(Value::as_array_mut) {
        choices.push(json!({ "type": "null" }));
        return schema;
    }
    let Some(kind) = schema.get("type").cloned() else {
        return json!({ "anyOf": [schema, { "type": "null" }] });
    };
    if let Some(words) = schema.get_mut("enum").and_then(Value::as_array_mut) {
        words.push(Value::Null);
    }
    schema["type"] = json!([kind, "null"]);
    schema
}

/// The same, with what it is in words.
pub(super) fn said(mut schema: Value, what: &str) -> Value {
    if schema.get("$ref").is_some() {
        schema = json!({ "allOf": [schema] });
    }
    schema["description"] = what.into();
    schema
}

/// An object that has all of `fields`, each with its example.
pub(super) fn object(what: &'static str, fields: &[(&'static str, Value, &'static str, Value)]) -> Value {
    let fields = fields.iter().map(|(name, schema, what, example)| Field {
        name,
        by: By::Server,
        schema: schema.clone(),
        written: None,
        what,
        example: example.clone(),
    });
    Resource { name: "", what, fields: fields.collect(), new: json!({}), patch: json!({}) }.shown()
}

/// Who writes a field.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// The server, and it is always there.
    Server,
    /// The server; it may be null.
    ServerOrNone,
    /// The server, and it is there only for some.
    Some,
    /// A client; it may be null.
    Client,
    /// A client, who may leave it to the server: it is never null.
    Either,
    /// A client, and it has to be there.
    Needed,
    /// A client who holds a scope of its own; it is there only for who may see it, and may be null.
    Sensitive,
}

/// A field of a resource.
#[derive(Clone)]
pub(super) struct Field {
    pub(super) name: &'static str,
    by: By,
    schema: Value,
    written: Option<Value>,
    what: &'static str,
    pub(super) example: Value,
}

/// A field, who writes it, its form, what it is, and an example.
pub(super) fn field(
    name: &'static str,
    by: By,
    schema: Value,
    what: &'static str,
    example: impl Into<Value>,
) -> Field {
    Field { name, by, schema, written: None, what, example: example.into() }
}

impl Field {
    /// The field has another form where it is written.
    pub(super) fn written(mut self, schema: Value) -> Self {
        self.written = Some(schema);
        self
    }

    fn read_form(&self) -> Value {
        let schema = self.schema.clone();
        let schema = match self.by {
            By::ServerOrNone | By::Client | By::Sensitive => nullable(schema),
            By::Server | By::Some | By::Either | By::Needed => schema,
        };
        said(schema, self.what)
    }

    fn written_form(&self) -> Option<Value> {
        let schema = match (&self.written, self.by) {
            (_, By::Server | By::ServerOrNone | By::Some) => return None,
            (Some(schema), _) => schema.clone(),
            (None, By::Needed) => self.schema.clone(),
            (None, By::Client | By::Either | By::Sensitive) => nullable(self.schema.clone()),
        };
        Some(said(schema, self.what))
    }
}

/// Something that is read, created and changed.
pub(super) struct Resource {
    pub(super) name: &'static str,
    pub(super) what: &'static str,
    pub(super) fields: Vec<Field>,
    /// An example of creating one.
    pub(super) new: Value,
    /// An example of changing one.
    pub(super) patch: Value,
}

impl Resource {
    /// As it is read.
    pub(super) fn shown(&self) -> Value {
        let always = |field: &&Field| !matches!(field.by, By::Some | By::Sensitive);
        let required: Vec<_> = self.fields.iter().filter(always).map(|field| field.name).collect();
        let properties: Map<_, _> =
            self.fields.iter().map(|field| (field.name.to_owned(), field.read_form())).collect();
        json!({
            "type": "object",
            "description": self.what,
            "required": required,
            "properties": properties,
            "examples": [self.example()],
        })
    }

    /// One of it, as those see it who see what everyone sees.
    pub(super) fn example(&self) -> Value {
        let shown = self.fields.iter().filter(|field| field.by != By::Sensitive && field.by != By::Some);
        Value::Object(shown.map(|field| (field.name.to_owned(), field.example.clone())).collect())
    }

    /// What a client sends to create one.
    pub(super) fn created(&self) -> Value {
        let needed = |field: &&Field| field.by == By::Needed;
        let required: Vec<_> = self.fields.iter().filter(needed).map(|field| field.name).collect();
        let mut schema = self.to_write(&self.new);
        if !required.is_empty() {
            schema["required"] = json!(required);
        }
        schema
    }

    /// What a client sends to change one: a merge patch (RFC 7396).
    pub(super) fn patched(&self) -> Value {
        self.to_write(&self.patch)
    }

    fn to_write(&self, example: &Value) -> Value {
        let written = |field: &Field| Some((field.name.to_owned(), field.written_form()?));
        let properties: Map<_, _> = self.fields.iter().filter_map(written).collect();
        json!({
            "type": "object",
            "properties": properties,
            "additionalProperties": false,
            "examples": [example],
        })
    }
}

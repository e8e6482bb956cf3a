//! A person as a form has them: texts by the names of fields, right or wrong.

use std::collections::BTreeMap;

use orquiva_core::custom_field::{CustomField, FieldType};
use orquiva_core::id::EmployeeId;
use serde_json::{Map, Value, json};

use super::words::{FIELDS, Group};
use crate::console::Console;
use crate::form::Form;
use crate::member::Member;
use crate::next::escaped;
use crate::page::Page;
use crate::show::Faults;
use crate::stop::Stop;

/// What comes before the slug of a field that the company has added.
pub(super) const OWN: &str = "customFields.";

/// Texts by the names of fields. A name that is not there is not in the form.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draft(BTreeMap<String, String>);

impl Draft {
    /// As the API shows someone; `manager` is the e-mail of whom they report to.
    pub(crate) fn of(employee: &Value, manager: &str, own: &[CustomField]) -> Self {
        let names = FIELDS.iter().map(|field| field.name.to_owned());
        let own = own.iter().map(|field| format!("{OWN}{}", field.shape.slug));
        let mut draft = Self(names.chain(own).map(|name| (name.clone(), text_at(employee, &name))).collect());
        draft.set("managerId", manager);
        if matches!(draft.text("status"), "terminating" | "terminated") {
            draft.0.remove("status"); // calls of their own write it
        }
        draft
    }

    /// As it was sent.
    pub(crate) fn read(form: &Form, own: &[CustomField]) -> Self {
        let names = FIELDS.iter().map(|field| field.name.to_owned());
        let own = own.iter().map(|field| format!("{OWN}{}", field.shape.slug));
        let sent = names.chain(own).filter(|name| form.has(name));
        Self(sent.map(|name| (name.clone(), form.text(&name).to_owned())).collect())
    }

    /// What stands in a field; empty if it is not there.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// Whether the form has this field.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Puts a text into a field.
    pub(crate) fn set(&mut self, name: &str, text: impl Into<String>) {
        self.0.insert(name.to_owned(), text.into());
    }

    /// The names of the fields that say something else than `other`.
    pub(crate) fn unlike<'d>(&'d self, other: &'d Self) -> impl Iterator<Item = &'d str> {
        self.0.iter().filter(|(name, text)| other.text(name) != text.as_str()).map(|(name, _)| name.as_str())
    }

    /// The body of a hire.
    pub(crate) fn hire(&self, own: &[CustomField]) -> Value {
        let mut body = self.patch(&Self::default(), own);
        if let Value::Object(body) = &mut body {
            body.retain(|_, value| !value.is_null());
        }
        body
    }

    /// The merge patch that leads from `before` to this.
    pub(crate) fn patch(&self, before: &Self, own: &[CustomField]) -> Value {
        let mut body = Map::new();
        let text = |text: &str| if text.is_empty() { Value::Null } else { json!(text) };
        for field in FIELDS.iter().filter(|field| self.has(field.name)) {
            match field.part() {
                None if self.text(field.name) != before.text(field.name) => {
                    body.insert(field.name.to_owned(), text(self.text(field.name)));
                }
                Some((object, _)) if !body.contains_key(object) => {
                    let parts = || FIELDS.iter().filter_map(|field| Some((field, field.part()?)));
                    let parts = || parts().filter(|(_, (of, _))| *of == object);
                    let says = |draft: &Self| {
                        parts().any(|(field, (_, part))| part != "type" && !draft.text(field.name).is_empty())
                    };
                    let differs = parts().any(|(field, _)| self.text(field.name) != before.text(field.name));
                    if differs && !says(self) {
                        body.extend(says(before).then(|| (object.to_owned(), Value::Null)));
                    } else if differs {
                        let parts = parts().map(|(field, (_, part))| (part, text(self.text(field.name))));
                        let known = says(before);
                        let kept = parts.filter(|(_, value)| known || !value.is_null());
                        let whole = kept.map(|(part, value)| (part.to_owned(), value)).collect();
                        body.insert(object.to_owned(), Value::Object(whole));
                    }
                }
                None | Some(_) => {}
            }
        }
        let changed = own.iter().filter_map(|field| {
            let name = format!("{OWN}{}", field.shape.slug);
            let differs = self.has(&name) && self.text(&name) != before.text(&name);
            differs.then(|| (field.shape.slug.clone(), typed(field.shape.kind, self.text(&name))))
        });
        let changed: Map<_, _> = changed
            .filter(|(slug, value)| !value.is_null() || !before.text(&format!("{OWN}{slug}")).is_empty())
            .collect();
        if !changed.is_empty() {
            body.insert("customFields".to_owned(), Value::Object(changed));
        }
        Value::Object(body)
    }
}

/// A value of a field of the company's own, from what was typed; what is no such value stays a text, which is refused.
pub(crate) fn typed(kind: FieldType, text: &str) -> Value {
    match kind {
        _ if text.is_empty() => Value::Null,
        FieldType::Number => {
            let number = text.replace(',', ".").parse::<serde_json::Number>();
            number.map_or_else(|_| json!(text), Value::Number)
        }
        FieldType::Boolean => match text.to_lowercase().as_str() {
            "true" | "sí" | "si" | "s" | "yes" | "y" | "1" | "verdadero" => json!(true),
            "false" | "no" | "n" | "0" | "falso" => json!(false),
            _ => json!(text),
        },
        FieldType::Text | FieldType::Date | FieldType::Choice => json!(text),
    }
}

/// What stands at a path of a JSON value, as a text; at no path, the value itself.
pub(crate) fn text_at(value: &Value, path: &str) -> String {
    match path.split('.').filter(|part| !part.is_empty()).fold(value, |value, part| &value[part]) {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(yes) => yes.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => String::new(),
    }
}

/// Puts the id into `body` of whom its manager, known by e-mail or id, is.
pub(crate) async fn resolve_manager(
    console: &Console,
    member: &Member,
    body: &mut Value,
    faults: &mut Faults,
) -> Result<(), Stop> {
    let Some(email) = body["managerId"].as_str().map(str::to_owned) else { return Ok(()) };
    match person(console, member, &email).await? {
        Some(id) => body["managerId"] = json!(id),
        None => faults.add("managerId", nobody(member)),
    }
    Ok(())
}

/// What to do when nobody has an e-mail.
pub(crate) fn nobody(member: &Member) -> &'static str {
    member.guest.language.pick(
        "Nadie de la empresa tiene este correo. Escríbalo entero, como ana@empresa.es.",
        "Nobody in the company has this e-mail. Write all of it, such as ana@company.com.",
    )
}

/// The id of whoever has this e-mail, or this id.
pub(crate) async fn person(console: &Console, member: &Member, text: &str) -> Result<Option<String>, Stop> {
    if EmployeeId::parse(text).is_some() {
        return Ok(Some(text.to_owned()));
    }
    let path = format!("/employees?fields=id&email={}", escaped(text));
    match console.inside.read(member.reads(), &path).await {
        Ok(found) => Ok(found.body["data"][0]["id"].as_str().map(str::to_owned)),
        Err(refused) if matches!(refused.status(), 400 | 422) => Ok(None), // no address, or several
        Err(refused) => Err(refused.into()),
    }
}

/// A field as a form shows it.
pub(crate) struct Input {
    pub(crate) name: String,
    pub(crate) label: String,
    pub(crate) value: String,
    /// The type of the input, or `select`.
    pub(crate) kind: &'static str,
    pub(crate) options: Vec<(String, String)>,
    pub(crate) note: String,
    pub(crate) fault: String,
    /// The list of suggestions beside it.
    pub(crate) list: &'static str,
}

/// Fields that stand together.
pub(crate) struct Section {
    pub(crate) title: &'static str,
    pub(crate) inputs: Vec<Input>,
}

/// What a form is made of, beside what stands in it.
pub(crate) struct Frame<'f> {
    pub(crate) page: &'f Page,
    pub(crate) faults: &'f Faults,
    /// The fields that the company has added, as far as the member may see them.
    pub(crate) own: &'f [CustomField],
    /// The names of departments to choose from, where a new name creates none.
    pub(crate) closed: Option<&'f [String]>,
    /// Whether what is protected is in it.
    pub(crate) protected: bool,
}

impl Frame<'_> {
    /// The sections of a form with what stands in `draft`.
    pub(crate) fn sections(&self, draft: &Draft) -> Vec<Section> {
        let page = self.page;
        let groups = [
            (Group::Identity, page.t("Identidad", "Identity")),
            (Group::Work, page.t("Puesto", "Work")),
            (Group::Protected, page.t("Datos protegidos", "Protected data")),
        ];
        let seen = |group: &Group| *group != Group::Protected || self.protected;
        let mut sections: Vec<_> = groups
            .into_iter()
            .filter(|(group, _)| seen(group))
            .map(|(group, title)| {
                let fields = FIELDS.iter().filter(|field| field.group == group && draft.has(field.name));
                Section { title, inputs: fields.map(|field| self.input(field, draft)).collect() }
            })
            .collect();
        if !self.own.is_empty() {
            let title = page.t("Campos propios de la empresa", "The company's own fields");
            sections
                .push(Section { title, inputs: self.own.iter().map(|own| self.own(own, draft)).collect() });
        }
        sections
    }

    fn input(&self, field: &super::words::Field, draft: &Draft) -> Input {
        use super::words::Kind;
        let language = self.page.language();
        let (kind, list) = match field.kind {
            Kind::Text | Kind::Country => ("text", ""),
            Kind::Email => ("email", ""),
            Kind::Phone => ("tel", ""),
            Kind::Day => ("date", ""),
            Kind::Choice(_) => ("select", ""),
            Kind::Department if self.closed.is_some() => ("select", ""),
            Kind::Department => ("text", "departments"),
            Kind::Person => ("email", "people"),
        };
        let mut options = Vec::new();
        match (field.kind, self.closed) {
            (Kind::Choice(choices), _) => {
                let choices = choices
                    .iter()
                    .map(|(word, es, en)| ((*word).to_owned(), language.pick(*es, *en).to_owned()));
                options.extend(choices);
            }
            (Kind::Department, Some(names)) => {
                options.extend(names.iter().map(|name| (name.clone(), name.clone())));
            }
            _ => {}
        }
        Input {
            name: field.name.to_owned(),
            label: field.label(language).to_owned(),
            value: draft.text(field.name).to_owned(),
            kind,
            options,
            note: field.note(language).to_owned(),
            fault: self.fault(field.name, field.part().map(|(object, _)| object)),
            list,
        }
    }

    /// What is wrong with a field; what is wrong with a whole object stands at its first part.
    fn fault(&self, name: &str, object: Option<&str>) -> String {
        let own = self.faults.of(name);
        let first = |object: &&str| {
            FIELDS
                .iter()
                .find(|field| field.name.starts_with(*object))
                .is_some_and(|field| field.name == name)
        };
        match object.filter(first) {
            Some(object) if own.is_empty() => self.faults.of(object).to_owned(),
            Some(_) | None => own.to_owned(),
        }
    }

    fn own(&self, own: &CustomField, draft: &Draft) -> Input {
        let (shape, page) = (&own.shape, self.page);
        let name = format!("{OWN}{}", shape.slug);
        let options = match shape.kind {
            FieldType::Boolean => {
                vec![
                    ("true".to_owned(), page.t("Sí", "Yes").to_owned()),
                    ("false".to_owned(), "No".to_owned()),
                ]
            }
            FieldType::Choice => {
                shape.choices.iter().flatten().map(|one| (one.clone(), one.clone())).collect()
            }
            FieldType::Text | FieldType::Number | FieldType::Date => Vec::new(),
        };
        let kind = match shape.kind {
            FieldType::Date => "date",
            FieldType::Boolean | FieldType::Choice => "select",
            FieldType::Text | FieldType::Number => "text",
        };
        let (value, fault) = (draft.text(&name).to_owned(), self.faults.of(&name).to_owned());
        let note = match shape.sensitive {
            true => page.t("Protegido", "Protected").to_owned(),
            false => String::new(),
        };
        Input { label: shape.label.clone(), name, value, kind, options, note, fault, list: "" }
    }
}

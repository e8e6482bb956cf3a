//! Which column of a file is which field: a guess by what it is called, and its cells read as the field has them.

use orquiva_core::custom_field::CustomField;
use orquiva_core::employee::valid_system;
use orquiva_core::text::fold;
use orquiva_core::{Date, Language};

use super::super::draft::{Draft, OWN};
use super::super::words::{FIELDS, Kind, field};

/// A column that is what someone is called in another system, named by the column.
pub(super) const REFERENCE: &str = "reference";

/// A column of several references, as an export writes them: `sap=42; stripe_id=cus_1`.
pub(super) const REFERENCES: &str = "references";

/// What columns are called elsewhere, folded, beside the names on our screens.
const ALSO: &[(&str, &[&str])] = &[
    ("firstName", &["nombre", "nombre de pila", "given name", "first name", "firstname"]),
    ("lastName", &["apellido", "apellidos", "apellido 1", "apellido1", "surname", "family name", "lastname"]),
    ("secondLastName", &["apellido 2", "apellido2", "second surname"]),
    (
        "fullName",
        &[
            "nombre y apellidos",
            "apellidos y nombre",
            "empleado",
            "trabajador",
            "name",
            "employee",
            "employee name",
            "fullname",
        ],
    ),
    ("preferredName", &["nombre preferido", "nickname", "alias"]),
    (
        "email",
        &[
            "correo",
            "correo electronico",
            "correo corporativo",
            "email",
            "e-mail",
            "mail",
            "email address",
            "work email",
        ],
    ),
    ("phone", &["telefono", "telefono movil", "movil", "phone", "mobile", "phone number"]),
    (
        "employeeNumber",
        &[
            "n empleado",
            "nº empleado",
            "num empleado",
            "no empleado",
            "codigo",
            "codigo de empleado",
            "matricula",
            "employee id",
            "employee no",
            "staff number",
        ],
    ),
    ("jobTitle", &["cargo", "categoria", "job", "title", "position", "role"]),
    ("department", &["area", "seccion", "equipo", "team", "division", "unit"]),
    (
        "managerId",
        &["jefe", "jefa", "superior", "supervisor", "correo del responsable", "manager email", "reports to"],
    ),
    ("location", &["centro", "oficina", "sede", "ubicacion", "site", "office", "workplace"]),
    ("employmentType", &["contrato", "jornada", "contract", "employment type", "contract type"]),
    (
        "startDate",
        &[
            "alta",
            "fecha de inicio",
            "fecha alta",
            "fecha de incorporacion",
            "incorporacion",
            "start date",
            "hire date",
            "joining date",
        ],
    ),
    ("status", &["estado", "state"]),
    ("personalEmail", &["email personal", "private email", "personal email"]),
    ("birthDate", &["nacimiento", "fecha nacimiento", "birth date", "birthday", "dob"]),
    ("gender", &["sexo", "sex"]),
    ("nationality", &["nationality code"]),
    (
        "nationalId.value",
        &["dni", "nif", "nie", "dni/nie", "dni nie", "documento", "national id", "id number"],
    ),
    ("homeAddress.line1", &["direccion", "calle", "address", "street", "address line 1"]),
    ("homeAddress.line2", &["address line 2"]),
    ("homeAddress.postalCode", &["cp", "c.p.", "zip", "zip code", "postcode"]),
    ("homeAddress.city", &["ciudad", "poblacion", "municipio", "town"]),
    ("homeAddress.region", &["comunidad", "state/region", "county"]),
];

/// What each column is most likely: the name of a field, or nothing. No field is guessed twice.
pub(super) fn guess(header: &[String], own: &[CustomField]) -> Vec<String> {
    let mut taken: Vec<String> = Vec::new();
    let named = |title: &str| {
        let title = fold(title.trim().trim_start_matches('\u{FEFF}'));
        let also = ALSO
            .iter()
            .filter(|(_, names)| names.contains(&title.as_str()))
            .map(|(name, _)| (*name).to_owned());
        let ours = FIELDS.iter().filter(|field| {
            let labels = [Language::Spanish, Language::English].map(|language| fold(field.label(language)));
            labels.contains(&title) || fold(field.name) == title
        });
        let added = own.iter().filter(|own| fold(&own.shape.label) == title || own.shape.slug == title);
        let ours = ours.map(|field| field.name.to_owned());
        let references =
            matches!(title.as_str(), "referencias" | "references").then(|| REFERENCES.to_owned());
        let all = ours.chain(also).chain(added.map(|own| format!("{OWN}{}", own.shape.slug)));
        all.chain(references).collect::<Vec<_>>()
    };
    header
        .iter()
        .map(|title| {
            let found = named(title).into_iter().find(|name| !taken.contains(name)).unwrap_or_default();
            taken.push(found.clone());
            found
        })
        .collect()
}

/// What a column may be, with what it is called.
pub(super) fn targets(own: &[CustomField], protected: bool, language: Language) -> Vec<(String, String)> {
    use super::super::words::Group;
    let fields = FIELDS.iter().filter(|field| protected || field.group != Group::Protected);
    let fields = fields.map(|field| (field.name.to_owned(), field.label(language).to_owned()));
    let own = own.iter().map(|own| (format!("{OWN}{}", own.shape.slug), own.shape.label.clone()));
    let references = [
        (
            REFERENCE,
            language.pick("Identificador en otro sistema (el título)", "Id in another system (its title)"),
        ),
        (REFERENCES, language.pick("Referencias (sap=42; …)", "References (sap=42; …)")),
    ];
    fields.chain(own).chain(references.map(|(name, label)| (name.to_owned(), label.to_owned()))).collect()
}

/// A row as a form would have it, its references, and the e-mail of the manager.
pub(super) struct Read {
    pub(super) draft: Draft,
    pub(super) references: Vec<(String, String)>,
    pub(super) manager: String,
}

/// Reads a row by its columns.
pub(super) fn read(columns: &[String], header: &[String], row: &[String]) -> Read {
    let mut read = Read { draft: Draft::default(), references: Vec::new(), manager: String::new() };
    for (index, name) in columns.iter().enumerate() {
        let text = unprotected(row.get(index).map_or("", |text| text.trim()));
        match name.as_str() {
            "" => {}
            _ if text.is_empty() => {}
            "managerId" => read.manager = text.to_owned(),
            REFERENCE => {
                let title = header.get(index).map_or("", String::as_str);
                read.references.push((system(title), text.to_owned()));
            }
            REFERENCES => {
                let pairs = text.split(';').filter_map(|pair| pair.split_once('='));
                read.references
                    .extend(pairs.map(|(system, value)| (system.trim().to_owned(), value.trim().to_owned())));
            }
            name => read.draft.set(name, normal(name, text)),
        }
    }
    let (kind, value) = (read.draft.text("nationalId.type"), read.draft.text("nationalId.value"));
    if kind.is_empty() && !value.is_empty() {
        let kind = document(value);
        read.draft.set("nationalId.type", kind);
    }
    read
}

/// A column's title as the name of a system.
fn system(title: &str) -> String {
    let name: String =
        fold(title.trim()).chars().map(|letter| if letter == ' ' { '_' } else { letter }).collect();
    if valid_system(&name) { name } else { title.trim().to_owned() }
}

/// A cell without the apostrophe that keeps spreadsheets from running it.
fn unprotected(text: &str) -> &str {
    match text.strip_prefix('\'') {
        Some(rest) if rest.starts_with(['=', '+', '-', '@']) => rest,
        Some(_) | None => text,
    }
}

/// The kind of a Spanish document by its first letter.
fn document(value: &str) -> &'static str {
    match value.chars().next() {
        Some('X' | 'Y' | 'Z' | 'x' | 'y' | 'z') => "nie",
        Some(digit) if digit.is_ascii_digit() && value.ends_with(|last: char| last.is_alphabetic()) => "dni",
        Some(_) | None => "other",
    }
}

/// A cell as the field has it: days, choices and countries are written in many ways.
fn normal(name: &str, text: &str) -> String {
    match field(name).map(|field| field.kind) {
        Some(Kind::Day) => day(text).unwrap_or_else(|| text.to_owned()),
        Some(Kind::Choice(choices)) => {
            let folded = fold(text);
            let is =
                |(word, es, en): &&(&str, &str, &str)| [fold(word), fold(es), fold(en)].contains(&folded);
            choices.iter().find(is).map_or(text, |(word, _, _)| word).to_owned()
        }
        Some(Kind::Country) => match fold(text).as_str() {
            "espana" | "spain" | "espanola" | "espanol" | "spanish" => "ES".to_owned(),
            _ => text.to_uppercase(),
        },
        Some(Kind::Phone) => match text.strip_prefix("00") {
            Some(rest) => format!("+{rest}"),
            None => text.to_owned(),
        },
        Some(Kind::Text | Kind::Email | Kind::Department | Kind::Person) | None => text.to_owned(),
    }
}

/// A day as spreadsheets write it here: `31/12/2026`, also with `-` or `.`; or as ISO has it, with or without an hour.
fn day(text: &str) -> Option<String> {
    let first = text.split([' ', 'T']).next().unwrap_or(text);
    if Date::parse(first).is_some() {
        return Some(first.to_owned());
    }
    let mut parts = first.split(['/', '-', '.']);
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let whole = parts.next().is_none() && year.len() == 4 && day.len() <= 2 && month.len() <= 2;
    let written = format!("{year}-{month:0>2}-{day:0>2}");
    (whole && Date::parse(&written).is_some()).then_some(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guessed(header: &[&str]) -> Vec<String> {
        guess(&header.iter().map(|title| (*title).to_owned()).collect::<Vec<_>>(), &[])
    }

    #[test]
    fn columns_are_guessed_in_both_languages_and_none_twice() {
        assert_eq!(
            guessed(&[
                "Nombre",
                "APELLIDOS",
                "Correo electrónico",
                "Teléfono",
                "DNI",
                "Fecha de alta",
                "Nota",
                "Email"
            ]),
            ["firstName", "lastName", "email", "phone", "nationalId.value", "startDate", "", ""]
        );
        assert_eq!(
            guessed(&["Full name", "Work e-mail", "Team", "Manager email", "Hire date", "externalRef"]),
            ["fullName", "email", "department", "managerId", "startDate", ""]
        );
        for language in [Language::Spanish, Language::English] {
            let ours: Vec<_> = FIELDS.iter().map(|field| field.label(language)).collect();
            assert_eq!(
                guessed(&ours),
                FIELDS.iter().map(|field| field.name).collect::<Vec<_>>(),
                "an export comes back"
            );
        }
    }

    #[test]
    fn cells_are_read_as_their_field_has_them() {
        for (name, text, read) in [
            ("startDate", "31/12/2026", "2026-12-31"),
            ("startDate", "1-2-2026", "2026-02-01"),
            ("startDate", "2026-02-01T00:00:00", "2026-02-01"),
            ("startDate", "30/02/2026", "30/02/2026"),
            ("gender", "MUJER", "female"),
            ("employmentType", "Full time", "full_time"),
            ("nationality", "España", "ES"),
            ("phone", "0034600123456", "+34600123456"),
            ("jobTitle", "=1+1", "=1+1"),
        ] {
            assert_eq!(normal(name, text), read);
        }
        assert_eq!(unprotected("'+34600"), "+34600");
        assert_eq!(unprotected("'quoted'"), "'quoted'");
    }
}

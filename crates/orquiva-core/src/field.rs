//! Reading a JSON object into a type that is valid by construction, with all its faults at once.

use serde_json::{Map, Value};

use crate::text::nearest;
use crate::{Date, Language};

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// Where it is: a JSON pointer into the body (RFC 6901), or the name of a query parameter.
    pub pointer: String,
    /// What is wrong with it.
    pub fault: Fault,
}

macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident $({ $($part:ident: $type:ty),* })? $code:literal $es:literal $en:literal;)*) => {
        /// A way in which a field can be wrong.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Fault { $(
            $(#[$doc])*
            $name $({ $(#[doc = "Part of the message."] $part: $type),* })?,
        )* }

        impl Fault {
            /// Code, Spanish and English of every fault, for the reference; `{…}` is filled in.
            pub const ALL: &'static [(&'static str, &'static str, &'static str)] = &[$(($code, $es, $en),)*];

            /// The stable code.
            pub fn code(&self) -> &'static str {
                match self { $(Self::$name { .. } => $code,)* }
            }

            /// What is wrong and what to do.
            pub fn detail(&self, language: Language) -> String {
                match self { $(Self::$name $({ $($part),* })? => match language {
                    Language::Spanish => format!($es),
                    Language::English => format!($en),
                },)* }
            }
        }
    };
}

faults! {
    /// It has to be there.
    Required "required" "Este campo es obligatorio." "This field is required.";
    /// Neither `fullName` nor `firstName` with `lastName`.
    NameRequired "required" "Envíe fullName, o firstName y lastName." "Send fullName, or firstName and lastName.";
    /// No such field.
    Unknown "unknown_field" "Este campo no existe." "There is no such field.";
    /// No such field, but one of nearly that name.
    Misspelt { near: String } "unknown_field" "Este campo no existe. ¿Quería decir «{near}»?" "There is no such field. Did you mean `{near}`?";
    /// The server alone writes it.
    ReadOnly "read_only" "Este campo lo escribe solo el servidor: no lo envíe." "Only the server writes this field: do not send it.";
    /// Another JSON type is needed.
    WrongType { expected: &'static str } "wrong_type" "Se esperaba: {expected}." "Expected: {expected}.";
    /// Nothing but space.
    Empty "empty" "No puede estar vacío." "It must not be empty.";
    /// Longer than is kept.
    TooLong { max: usize } "too_long" "Tiene más de {max} caracteres." "It is longer than {max} characters.";
    /// More entries than are kept.
    TooMany { max: usize } "too_many" "Tiene más de {max} elementos." "It has more than {max} entries.";
    /// Control characters, NUL among them.
    ControlCharacter "control_character" "Contiene caracteres de control." "It contains control characters.";
    /// No e-mail address.
    InvalidEmail "invalid_email" "No es una dirección de correo, como ana@empresa.es." "It is not an e-mail address, such as ana@company.com.";
    /// No telephone number of E.164.
    InvalidPhone "invalid_phone" "Escriba el teléfono en formato internacional, como +34600123456." "Write the number in international form, such as +34600123456.";
    /// Characters that turn the direction of the text around them.
    BidiControl "bidi_control" "Contiene caracteres que alteran la dirección del texto." "It contains characters that change the direction of the text.";
    /// No day.
    InvalidDate "invalid_date" "Escriba una fecha que exista como AAAA-MM-DD." "Write an existing day as YYYY-MM-DD.";
    /// A day that has not come.
    InFuture "in_future" "Esta fecha aún no ha llegado." "This day has not come yet.";
    /// The end of an employment comes before its start.
    EndBeforeStart "end_before_start" "El final no puede ser anterior a startDate." "The end cannot come before startDate.";
    /// A second employment begins before the first has ended.
    StartBeforeEnd "start_before_end" "No puede empezar antes de endDate, el final del contrato anterior." "It cannot begin before endDate, the end of the former employment.";
    /// What the end of an employment writes.
    UseTerminate "use_terminate" "No se escribe directamente: use POST /v1/employees/{{id}}/terminate." "It is not written directly: use POST /v1/employees/{{id}}/terminate.";
    /// The status of someone whose end lies ahead.
    CancelTermination "cancel_termination" "Su baja está programada: cancélela antes con DELETE /v1/employees/{{id}}/terminate." "Their termination lies ahead: cancel it first with DELETE /v1/employees/{{id}}/terminate.";
    /// The status of someone who has left.
    UseRehire "use_rehire" "Ya no trabaja en la empresa: use POST /v1/employees/{{id}}/rehire." "They have left the company: use POST /v1/employees/{{id}}/rehire.";
    /// No identity document of that kind.
    InvalidNationalId "invalid_national_id" "No tiene la forma de un documento de este tipo, como 12345678Z (DNI) o X1234567L (NIE)." "It does not have the form of a document of this type, such as 12345678Z (DNI) or X1234567L (NIE).";
    /// The letter does not belong to the digits.
    WrongCheckLetter "wrong_check_letter" "La letra no corresponde a los números: revise ambos." "The letter does not belong to the digits: check both.";
    /// No country of ISO 3166-1.
    UnknownCountry "unknown_country" "Escriba el país con dos letras (ISO 3166-1), como ES." "Write the country with two letters (ISO 3166-1), such as ES.";
    /// Someone would report to themselves.
    OwnManager "own_manager" "Nadie puede ser su propio responsable." "Nobody can be their own manager.";
    /// The chain of managers would be a circle.
    ManagerCycle "manager_cycle" "Esta persona ya depende de ella, directa o indirectamente." "This person already reports to them, directly or not.";
    /// No moment.
    InvalidTime "invalid_time" "Escriba el momento como 2026-01-31T09:00:00Z." "Write the moment as 2026-01-31T09:00:00Z.";
    /// Not one of the choices.
    NotAllowed { choices: String } "not_allowed" "Use uno de estos valores: {choices}." "Use one of: {choices}.";
    /// Outside the range.
    OutOfRange { min: i64, max: i64 } "out_of_range" "Use un número entero de {min} a {max}." "Use a whole number from {min} to {max}.";
    /// The key of a reference has other characters.
    InvalidKey "invalid_key" "Use de 1 a 64 letras, cifras, «_», «-» o «.»." "Use 1 to 64 letters, digits, `_`, `-` or `.`.";
    /// The id does not have the form of one.
    InvalidId { kind: &'static str } "invalid_id" "No es un identificador como {kind}_01…." "It is not an id such as {kind}_01….";
    /// No name of a field that a company adds.
    InvalidSlug "invalid_slug" "Use de 1 a 40 letras minúsculas sin acento, cifras o «_», empezando por una letra." "Use 1 to 40 lower-case letters, digits or `_`, beginning with a letter.";
    /// What stays as it was created.
    Immutable "immutable" "No se puede cambiar: cree otro campo." "It cannot be changed: create another field.";
    /// Choices of a field that is not of type choice.
    NothingToChoose "nothing_to_choose" "Solo los campos de tipo choice tienen opciones." "Only fields of type choice have choices.";
    /// Choices that people have and that would vanish.
    ChoiceInUse { choices: String } "choice_in_use" "Hay personas con estas opciones: {choices}. Cámbielas antes." "People have these choices: {choices}. Change them first.";
    /// An entry that the list has already.
    RepeatedEntry "repeated" "Ya está en la lista." "It is in the list already.";
    /// No employee of that id.
    UnknownEmployee "unknown_employee" "No hay ningún empleado con este identificador." "There is no employee with this id.";
    /// No department of that id.
    UnknownDepartment "unknown_department" "No hay ningún departamento con este identificador." "There is no department with this id.";
    /// No department of that name, and the company creates none by hiring.
    ClosedDepartments "unknown_department" "No hay ningún departamento con este nombre, y esta empresa solo los crea en /v1/departments." "There is no department of this name, and this company creates them at /v1/departments only.";
    /// The same, but there are some of nearly that name.
    MisspeltDepartment { near: String } "unknown_department" "No hay ningún departamento con este nombre, y esta empresa solo los crea en /v1/departments. Los más parecidos: {near}." "There is no department of this name, and this company creates them at /v1/departments only. The nearest: {near}.";
    /// The parent stands below the department itself.
    DepartmentCycle "department_cycle" "Ese departamento es este mismo o depende de él: el árbol se cerraría en un círculo." "That department is this one or stands below it: the tree would close into a circle.";
    /// The replacement is what is being removed.
    SameDepartment "same_department" "Un departamento no puede reemplazarse a sí mismo." "A department cannot replace itself.";
    /// Name and id are of two departments.
    DepartmentsDisagree "departments_disagree" "department y departmentId nombran dos departamentos distintos." "department and departmentId name two different departments.";
    /// No web address.
    InvalidUrl "invalid_url" "Escriba una dirección https completa, sin usuario ni fragmento." "Write a complete https address, without user or fragment.";
    /// An address of an inner network.
    PrivateAddress "private_address" "Es una dirección privada o local: los webhooks solo salen a Internet. Un operador puede permitirlas con --allow-private-webhooks." "It is a private or local address: webhooks only go out to the Internet. An operator can allow them with --allow-private-webhooks.";
    /// Not an event type, or a pattern of them.
    UnknownEvent { near: String } "unknown_event" "No hay ningún evento así. El más parecido: {near}." "There is no such event. The nearest: {near}.";
    /// A path of a filter that no event has.
    UnknownPath { near: String } "unknown_path" "Ningún evento tiene esta ruta. La más parecida: {near}." "No event has this path. The nearest: {near}.";
    /// A filter by what the endpoint may not see.
    SensitivePath "sensitive_path" "Este campo está protegido: solo puede filtrar por él un webhook con «sensitive»: true." "This field is protected: only an endpoint with `sensitive`: true can filter by it.";
    /// No name of a header.
    InvalidHeaderName "invalid_header_name" "No es un nombre de cabecera HTTP: use letras, cifras y «-», 100 como máximo." "It is not the name of an HTTP header: use letters, digits and `-`, 100 at most.";
    /// No value of a header.
    InvalidHeaderValue "invalid_header_value" "El valor de una cabecera solo admite caracteres ASCII visibles y espacios." "The value of a header takes visible ASCII characters and spaces only.";
    /// A header that is not the client's to set.
    ForbiddenHeader "forbidden_header" "Esta cabecera la pone Orquiva o decide cómo se lee la petición: no se puede cambiar." "Orquiva sets this header, or it decides how the request is read: it cannot be changed.";
    /// Headers that are too long together.
    HeadersTooLong { max: usize } "headers_too_long" "Los nombres y valores suman más de {max} bytes." "Names and values are longer than {max} bytes together.";
    /// What is shown in the place of a value.
    HiddenValue "hidden_value" "«***» es lo que se muestra en lugar de un valor: envíe el valor." "`***` is what is shown in the place of a value: send the value.";
    /// Tries over more time than they may take.
    ScheduleTooLong { days: i64 } "schedule_too_long" "Las esperas suman más de {days} días." "The waits are longer than {days} days together.";
    /// No event of that id, or one that is kept no longer.
    UnknownEventId "unknown_event_id" "No hay ningún evento con este identificador, o ya no se conserva." "There is no event with this id, or it is no longer kept.";
    /// A part of the log beside events that are named one by one.
    NotWithEventIds "not_with_event_ids" "No se combina con eventIds: envíe uno u otro." "It does not go with eventIds: send one or the other.";
    /// The second moment is not after the first.
    EmptySpan "empty_span" "Tiene que ser posterior a from." "It has to be later than from.";
    /// Deliveries that arrived are kept for some days only.
    BeforeDeliveryLog { days: i64 } "before_delivery_log" "El registro de entregas abarca {days} días: antes no se sabe qué llegó. Para enviar de nuevo todo use el estado all." "The log of deliveries reaches back {days} days: before, it is not known what arrived. To send everything again use the state all.";
    /// Another record has this value.
    Taken "taken" "Otro registro ya tiene este valor." "Another record already has this value.";
    /// The body says another value for the reference that the address names.
    ReferenceDisagrees "reference_disagrees" "No coincide con la referencia de la dirección." "It differs from the reference in the address.";
    /// A search without a letter or digit.
    NoWords "no_words" "No contiene ninguna letra ni cifra." "It has no letter and no digit.";
    /// A parameter that was given twice.
    Repeated "repeated" "Este parámetro solo puede aparecer una vez." "This parameter may appear only once.";
}

/// An object that is being read field by field. Faults are gathered, never thrown.
pub struct Fields<'v> {
    map: &'v Map<String, Value>,
    known: Vec<&'static str>,
    faults: Vec<FieldError>,
}

impl<'v> Fields<'v> {
    /// Starts reading `value`, which has to be an object.
    pub fn of(value: &'v Value) -> Result<Self, Vec<FieldError>> {
        match value {
            Value::Object(map) => Ok(Self { map, known: Vec::with_capacity(24), faults: Vec::new() }),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                Err(vec![FieldError {
                    pointer: String::new(),
                    fault: Fault::WrongType { expected: "object" },
                }])
            }
        }
    }

    /// Reads the field `name`; absent and null are both nothing.
    pub fn take<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&'v Value) -> Result<T, Fault>,
    ) -> Option<T> {
        self.known.push(name);
        match self.map.get(name) {
            None | Some(Value::Null) => None,
            Some(value) => read(value).map_err(|fault| self.fault(name, fault)).ok(),
        }
    }

    /// Reads the field `name`, which has to be there.
    pub fn need<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&'v Value) -> Result<T, Fault>,
    ) -> Option<T> {
        if self.has(name) {
            return self.take(name, read);
        }
        self.known.push(name);
        self.fault(name, Fault::Required);
        None
    }

    /// Whether `name` is there and not null.
    pub fn has(&self, name: &str) -> bool {
        self.map.get(name).is_some_and(|value| !value.is_null())
    }

    /// Notes a fault at `path` (a name, or `name/entry`).
    pub fn fault(&mut self, path: &str, fault: Fault) {
        self.faults.push(FieldError { pointer: format!("/{path}"), fault });
    }

    /// Refuses these names, which the server alone writes.
    pub fn read_only(&mut self, names: &[&'static str]) {
        self.refuse(names, &Fault::ReadOnly);
    }

    /// Refuses these names for a reason of their own.
    pub fn refuse(&mut self, names: &[&'static str], fault: &Fault) {
        for name in names {
            self.known.push(name);
            if self.map.contains_key(*name) {
                self.fault(name, fault.clone());
            }
        }
    }

    /// Reads the object `name`; its faults are told under its name.
    pub fn object<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&'v Value) -> Result<T, Vec<FieldError>>,
    ) -> Option<T> {
        self.known.push(name);
        let value = self.map.get(name).filter(|value| !value.is_null())?;
        let under = |error: FieldError| FieldError { pointer: format!("/{name}{}", error.pointer), ..error };
        read(value).map_err(|faults| self.faults.extend(faults.into_iter().map(under))).ok()
    }

    /// Ends the reading: unknown fields are faults too, each with the nearest name that is known.
    pub fn finish<T>(mut self, value: Option<T>) -> Result<T, Vec<FieldError>> {
        for name in self.map.keys().filter(|name| !self.known.contains(&name.as_str())) {
            self.faults.push(FieldError { pointer: pointer(name), fault: unknown(name, &self.known) });
        }
        match value {
            Some(value) if self.faults.is_empty() => Ok(value),
            Some(_) | None => Err(self.faults),
        }
    }
}

/// The JSON pointer to a field of the body (RFC 6901 §3).
pub fn pointer(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// The fault of an unknown name, with the nearest of those that are known.
pub fn unknown(name: &str, known: &[&str]) -> Fault {
    match nearest(name, known.iter().copied()) {
        Some(near) => Fault::Misspelt { near: near.to_owned() },
        None => Fault::Unknown,
    }
}

/// Reads what a resource becomes under a merge patch (RFC 7396): `patch` is merged into the fields that a client
/// may write, and the whole is read by `parse`. A name that is `refused` is a fault of its own.
pub fn patched<T>(
    mut resource: Value,
    patch: &Value,
    refused: impl Fn(&str) -> Option<Fault>,
    parse: impl FnOnce(&Value) -> Result<T, Vec<FieldError>>,
) -> Result<T, Vec<FieldError>> {
    let Value::Object(patch) = patch else {
        let fault = Fault::WrongType { expected: "object" };
        return Err(vec![FieldError { pointer: String::new(), fault }]);
    };
    let mut faults = Vec::new();
    for (name, change) in patch {
        if let Some(fault) = refused(name) {
            faults.push(FieldError { pointer: pointer(name), fault });
        } else {
            let change = Value::Object([(name.clone(), change.clone())].into_iter().collect());
            crate::merge::merge(&mut resource, &change);
        }
    }
    match parse(&resource) {
        Ok(new) if faults.is_empty() => Ok(new),
        Ok(_) => Err(faults),
        Err(more) => Err(faults.into_iter().chain(more).collect()),
    }
}

/// The names of the fields in which `now` differs from `before`, and what they were: version and time of
/// change aside.
pub fn difference(now: &Value, before: &Value) -> (Vec<String>, Value) {
    let mut changed = Vec::new();
    let mut previous = Map::new();
    for (name, value) in now.as_object().into_iter().flatten() {
        let was = &before[name];
        if was != value && name != "version" && name != "updatedAt" {
            changed.push(name.clone());
            previous.insert(name.clone(), was.clone());
        }
    }
    (changed, Value::Object(previous))
}

/// A string.
pub fn string(value: &Value) -> Result<&str, Fault> {
    value.as_str().ok_or(Fault::WrongType { expected: "string" })
}

/// A text of one line in any script, trimmed, of 1 to `max` characters (not bytes).
pub fn line(max: usize) -> impl Fn(&Value) -> Result<String, Fault> {
    move |value| {
        let text = string(value)?.trim();
        if text.chars().all(is_invisible) {
            return Err(Fault::Empty);
        }
        if text.chars().any(|letter| letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}')) {
            return Err(Fault::ControlCharacter);
        }
        if text.chars().any(turns_direction) {
            return Err(Fault::BidiControl);
        }
        if text.chars().count() > max {
            return Err(Fault::TooLong { max });
        }
        Ok(text.to_owned())
    }
}

/// Space, and the joiners and marks of several scripts that show nothing by themselves.
fn is_invisible(letter: char) -> bool {
    letter.is_whitespace()
        || matches!(letter, '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{3164}' | '\u{FEFF}')
}

/// Embeddings, overrides and isolates: with them a name could be shown as another one (Unicode TR 9 §2).
/// The plain marks (U+200E, U+200F) turn nothing and stay.
fn turns_direction(letter: char) -> bool {
    matches!(letter, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// A day, `YYYY-MM-DD`.
pub fn date(value: &Value) -> Result<Date, Fault> {
    Date::parse(string(value)?).ok_or(Fault::InvalidDate)
}

/// One of the words of a closed list.
pub fn word<T>(
    parse: fn(&str) -> Option<T>,
    all: &'static [&'static str],
) -> impl Fn(&Value) -> Result<T, Fault> {
    move |value| parse(string(value)?).ok_or_else(|| Fault::NotAllowed { choices: all.join(", ") })
}

/// Yes or no.
pub fn flag(value: &Value) -> Result<bool, Fault> {
    value.as_bool().ok_or(Fault::WrongType { expected: "true or false" })
}

/// A whole number from `min` to `max`.
pub fn whole(min: i64, max: i64) -> impl Fn(&Value) -> Result<i64, Fault> {
    move |value| match value.as_i64() {
        Some(number) if (min..=max).contains(&number) => Ok(number),
        Some(_) => Err(Fault::OutOfRange { min, max }),
        None => Err(Fault::WrongType { expected: "whole number" }),
    }
}

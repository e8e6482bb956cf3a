//! What events, endpoints and deliveries are called on screens.

use orquiva_core::Language;
use orquiva_core::event::EventType;

use crate::page::Page;

/// What an event of this type tells, in a few words.
fn event(kind: EventType, language: Language) -> &'static str {
    match kind {
        EventType::EmployeeCreated => language.pick("Alta de una persona", "Someone was hired"),
        EventType::EmployeeUpdated => language.pick("Cambio en una persona", "Someone's data changed"),
        EventType::EmployeeDeleted => language.pick("Persona borrada", "Someone was removed"),
        EventType::EmployeeStarted => language.pick("Primer día", "First day"),
        EventType::EmployeeTerminationScheduled => {
            language.pick("Baja con fecha próxima", "End of employment decided")
        }
        EventType::EmployeeTerminated => language.pick("Baja", "Employment ended"),
        EventType::EmployeeTerminationCancelled => language.pick("Baja anulada", "End cancelled"),
        EventType::EmployeeRehired => language.pick("Reincorporación", "Someone was rehired"),
        EventType::DepartmentCreated => language.pick("Departamento nuevo", "New department"),
        EventType::DepartmentUpdated => language.pick("Cambio en un departamento", "A department changed"),
        EventType::DepartmentDeleted => language.pick("Departamento borrado", "A department was removed"),
        EventType::WebhookFailing => language.pick("Un webhook falla", "A webhook is failing"),
        EventType::WebhookDisabled => language.pick("Un webhook desactivado", "A webhook was disabled"),
        EventType::WebhookTest => language.pick("Prueba de un webhook", "Test of a webhook"),
    }
}

/// What the types of a resource are together.
fn resource(pattern: &str, language: Language) -> &'static str {
    match pattern {
        "employee.*" => language.pick("Todo lo de las personas", "All about people"),
        "department.*" => language.pick("Todo lo de los departamentos", "All about departments"),
        "webhook_endpoint.*" => language.pick("Todo lo de los webhooks", "All about webhooks"),
        _ => language.pick("Todos los eventos", "All events"),
    }
}

/// Patterns with the types that each stands for, as one chooses them; tests belong to none.
pub(crate) fn groups() -> Vec<(&'static str, Vec<&'static str>)> {
    let of = |pattern: &'static str| {
        let start = pattern.trim_end_matches('*');
        (pattern, EventType::ALL.iter().copied().filter(|kind| kind.starts_with(start)).collect())
    };
    ["employee.*", "department.*", "webhook_endpoint.*"].map(of).into()
}

/// What the state of a delivery is called, after the class of its badge.
fn delivery(state: &str, language: Language) -> (&'static str, &'static str) {
    match state {
        "delivered" => ("good", language.pick("Entregada", "Delivered")),
        "failed" => ("bad", language.pick("Fallida", "Failed")),
        "cancelled" => ("off", language.pick("Cancelada", "Cancelled")),
        "retrying" => ("warn", language.pick("Reintentando", "Retrying")),
        _ => ("wait", language.pick("En espera", "Waiting")),
    }
}

/// What the state of an endpoint is called, after the class of its badge.
fn endpoint(state: &str, language: Language) -> (&'static str, &'static str) {
    match state {
        "idle" => ("good", language.pick("Al día", "Up to date")),
        "delivering" => ("good", language.pick("Entregando", "Delivering")),
        "backing_off" => ("warn", language.pick("Esperando para reintentar", "Waiting to retry")),
        "open" => ("bad", language.pick("No responde bien", "Not answering well")),
        "paused" => ("off", language.pick("En pausa", "Paused")),
        _ => ("bad", language.pick("Desactivado", "Disabled")),
    }
}

/// Why an attempt had no answer, by the word that programs get.
fn fault(word: &str) -> Option<(&'static str, &'static str)> {
    let (es, en) = match word {
        "dns" => ("Ese nombre no tiene dirección.", "The name has no address."),
        "private_address" => (
            "Lleva a una dirección privada, a la que los webhooks no pueden llamar.",
            "It leads to a private address, which webhooks may not reach.",
        ),
        "connect" => ("Nadie acepta la conexión.", "Nobody takes the connection."),
        "tls" => (
            "El TLS no vale: certificado caducado, de otro nombre o de una autoridad desconocida.",
            "No TLS: the certificate has expired, is for another name or from an unknown authority.",
        ),
        "protocol" => ("La conexión se cortó, o no habla HTTP.", "The exchange broke off, or it is no HTTP."),
        "timeout_dns" => ("El nombre no se encontró a tiempo.", "The name was not found in time."),
        "timeout_connect" => ("No aceptó la conexión a tiempo.", "It did not take the connection in time."),
        "timeout_tls" => ("El TLS no se completó a tiempo.", "TLS was not done in time."),
        "timeout_answer" => ("No respondió en 15 segundos.", "It did not answer within 15 seconds."),
        "timeout_body" => (
            "Empezó a responder y no acabó en 15 segundos.",
            "It began to answer and did not end within 15 seconds.",
        ),
        _ => return None,
    };
    Some((es, en))
}

impl Page {
    /// Why an attempt had no answer; a word that is not known stays as it is.
    pub(crate) fn fault<'f>(&self, word: &'f str) -> &'f str {
        fault(word).map_or(word, |(es, en)| self.language().pick(es, en))
    }

    /// What a type or pattern of events is called; a text that is none stays as it is.
    pub(crate) fn kind<'k>(&self, kind: &'k str) -> &'k str {
        match EventType::EACH.iter().find(|known| known.as_str() == kind) {
            Some(known) => event(*known, self.language()),
            None if kind.ends_with('*') => resource(kind, self.language()),
            None => kind,
        }
    }

    /// The class and the name of a delivery's state.
    pub(crate) fn delivery_state(&self, state: &str) -> (&'static str, &'static str) {
        delivery(state, self.language())
    }

    /// The class and the name of an endpoint's state.
    pub(crate) fn endpoint_state(&self, state: &str) -> (&'static str, &'static str) {
        endpoint(state, self.language())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_but_the_test_can_be_chosen() {
        let offered: Vec<_> = groups().into_iter().flat_map(|(_, kinds)| kinds).collect();
        let left: Vec<_> = EventType::ALL.iter().filter(|kind| !offered.contains(kind)).collect();
        assert_eq!(left, [&"webhook.test"]);
    }
}

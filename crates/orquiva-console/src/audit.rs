//! What the audit calls the things that are done.

use orquiva_core::Language;

/// Each action by its word, in Spanish and in English.
const ACTIONS: &[(&str, &str, &str)] = &[
    ("company.created", "Empresa creada", "Company created"),
    ("session.created", "Inicio de sesión", "Signed in"),
    ("client.created", "Cliente de API creado", "API client created"),
    ("client.updated", "Cliente de API cambiado", "API client changed"),
    ("client.rotated", "Secreto rotado", "Secret rotated"),
    ("client.revoked", "Cliente de API revocado", "API client revoked"),
    ("webhook.created", "Webhook creado", "Webhook created"),
    ("webhook.updated", "Webhook cambiado", "Webhook changed"),
    ("webhook.paused", "Webhook en pausa", "Webhook paused"),
    ("webhook.resumed", "Webhook reanudado", "Webhook resumed"),
    ("webhook.rotated", "Secreto de webhook rotado", "Webhook secret rotated"),
    ("webhook.tested", "Webhook probado", "Webhook tested"),
    ("webhook.deleted", "Webhook borrado", "Webhook deleted"),
    ("delivery.retried", "Entrega enviada de nuevo", "Delivery sent again"),
    ("replay.started", "Eventos repetidos", "Events replayed"),
    ("replay.cancelled", "Repetición cancelada", "Replay cancelled"),
    ("notice.read", "Aviso leído", "Notice read"),
    ("employee.created", "Alta", "Hired"),
    ("employee.updated", "Datos de una persona cambiados", "Person changed"),
    ("employee.terminated", "Baja", "Terminated"),
    ("employee.termination_cancelled", "Baja cancelada", "Termination cancelled"),
    ("employee.rehired", "Readmisión", "Rehired"),
    ("employee.rehire_cancelled", "Readmisión cancelada", "Rehire cancelled"),
    ("employee.deleted", "Persona borrada", "Person deleted"),
    ("department.created", "Departamento creado", "Department created"),
    ("department.updated", "Departamento cambiado", "Department changed"),
    ("department.deleted", "Departamento borrado", "Department deleted"),
];

/// What an action is called on screens.
pub(crate) fn name(action: &str, language: Language) -> &str {
    let known = ACTIONS.iter().find(|(word, _, _)| *word == action);
    known.map_or(action, |(_, es, en)| language.pick(*es, *en))
}

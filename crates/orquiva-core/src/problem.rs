//! Every way a request can fail, as one table: stable code, status, and two languages (RFC 9457).

use crate::Language;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident $text:literal $status:literal
        [$title_es:literal, $detail_es:literal]
        [$title_en:literal, $detail_en:literal];)*) => {
        /// A kind of failure. The code never changes; its texts may.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code, for the reference.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// As it stands in the answer's `code`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The HTTP status.
            pub fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }

            /// A short summary, the same for each occurrence (RFC 9457 §3.1.3).
            pub fn title(self, language: Language) -> &'static str {
                match self { $(Self::$name => language.pick($title_es, $title_en),)* }
            }

            /// What happened and what to do, where nothing more exact is known.
            pub fn detail(self, language: Language) -> &'static str {
                match self { $(Self::$name => language.pick($detail_es, $detail_en),)* }
            }
        }
    };
}

codes! {
    /// The body is no JSON.
    MalformedJson "malformed_json" 400
        ["El cuerpo no es JSON válido", "Envíe un único valor JSON en UTF-8, con 100 niveles de anidamiento como máximo."]
        ["The body is not valid JSON", "Send one JSON value in UTF-8, nested at most 100 levels deep."];
    /// The request cannot be understood.
    InvalidRequest "invalid_request" 400
        ["La petición no se entiende", "Revise la dirección y las cabeceras de la petición."]
        ["The request cannot be understood", "Check the address and the headers of the request."];
    /// A query parameter is unknown or wrong.
    InvalidParameter "invalid_parameter" 400
        ["Un parámetro de la consulta no es válido", "Corrija los parámetros señalados en «errors»."]
        ["A query parameter is not valid", "Correct the parameters named in `errors`."];
    /// The cursor was not made by us for this list.
    InvalidCursor "invalid_cursor" 400
        ["El cursor no es válido", "Use «nextCursor» tal como se recibió y con los mismos filtros, o empiece de nuevo sin cursor."]
        ["The cursor is not valid", "Use `nextCursor` exactly as it was received and with the same filters, or start again without a cursor."];
    /// The idempotency key is malformed.
    InvalidIdempotencyKey "invalid_idempotency_key" 400
        ["La Idempotency-Key no es válida", "Use de 1 a 255 caracteres ASCII visibles, distintos para cada operación; un UUID sirve."]
        ["The Idempotency-Key is not valid", "Use 1 to 255 visible ASCII characters, different for each operation; a UUID will do."];
    /// No live token.
    InvalidToken "invalid_token" 401
        ["Falta el token de acceso o no es válido", "Pida un token en POST /oauth/token y envíelo en la cabecera «Authorization: Bearer …»."]
        ["The access token is missing or not valid", "Ask for a token at POST /oauth/token and send it in the header `Authorization: Bearer …`."];
    /// The token lacks the scope.
    InsufficientScope "insufficient_scope" 403
        ["El token no tiene el permiso necesario", "Pida un token con el permiso que falta o añádalo al cliente de API."]
        ["The token lacks the scope", "Ask for a token with the missing scope, or add it to the API client."];
    /// The client may not come from this address.
    AddressNotAllowed "address_not_allowed" 403
        ["Este cliente de API no puede usarse desde esta dirección", "Llame desde una de las direcciones permitidas del cliente, o pida al administrador que añada esta."]
        ["This API client may not be used from this address", "Call from one of the client's allowed addresses, or ask the administrator to add this one."];
    /// Nothing is there, or it is another company's.
    NotFound "not_found" 404
        ["No existe", "Compruebe la dirección y el identificador."]
        ["There is nothing here", "Check the address and the id."];
    /// The path names a version that does not exist.
    UnknownVersion "unknown_version" 404
        ["Esa versión de la API no existe", "Use /v1 o la misma ruta sin versión."]
        ["That version of the API does not exist", "Use /v1, or the same path without a version."];
    /// The path exists, the method does not.
    MethodNotAllowed "method_not_allowed" 405
        ["Ese método no está permitido aquí", "Use uno de los métodos de la cabecera «Allow»."]
        ["That method is not allowed here", "Use one of the methods in the `Allow` header."];
    /// The client took too long to send its body.
    RequestTimeout "request_timeout" 408
        ["La petición no llegó entera a tiempo", "Envíela de nuevo; con Idempotency-Key no se ejecuta dos veces."]
        ["The request did not arrive whole in time", "Send it again; with an Idempotency-Key it is not carried out twice."];
    /// Another record has it already.
    Conflict "conflict" 409
        ["Otro registro ya tiene ese valor", "Use otro valor o cambie el registro que ya lo tiene."]
        ["Another record already has this value", "Use another value, or change the record that has it."];
    /// The first request with this key still runs.
    IdempotencyInProgress "idempotency_in_progress" 409
        ["La primera petición con esta clave sigue en curso", "Espere un momento y repítala igual: recibirá la respuesta de la primera."]
        ["The first request with this key is still running", "Wait a moment and repeat it unchanged: you will get the first one's answer."];
    /// The company's last export still runs.
    ExportInProgress "export_in_progress" 409
        ["Otra exportación de la empresa sigue en curso", "Léala hasta el final o ciérrela antes de pedir otra."]
        ["Another export of the company is still running", "Read it to its end, or close it, before you ask for another."];
    /// The plan allows no more of them.
    LimitReached "limit_reached" 409
        ["El plan no admite más", "Borre uno que ya no use o cambie de plan."]
        ["The plan allows no more of them", "Delete one that is no longer used, or change the plan."];
    /// The endpoint is there no more.
    WebhookDeleted "webhook_deleted" 409
        ["El webhook ya no existe", "Cree otro y envíele los eventos con POST /v1/webhooks/{id}/replay."]
        ["The webhook does not exist any more", "Create another one and send it the events with POST /v1/webhooks/{id}/replay."];
    /// A replay that is over.
    ReplayCompleted "replay_completed" 409
        ["La repetición ya ha terminado", "Todo lo que tenía que enviar se ha enviado: no hay nada que cancelar."]
        ["The replay is over", "Everything that it had to send was sent: there is nothing to cancel."];
    /// People are in the department, or others stand under it.
    DepartmentInUse "department_in_use" 409
        ["El departamento está en uso", "Añada «?replaceWith=dep_…» para pasar a otro sus personas y departamentos."]
        ["The department is in use", "Add `?replaceWith=dep_…` to move its people and departments to another one."];
    /// People have values of the field.
    CustomFieldInUse "custom_field_in_use" 409
        ["El campo está en uso", "Añada «?force=true» para borrarlo con sus valores."]
        ["The field is in use", "Add `?force=true` to remove it with its values."];
    /// Someone who has left cannot leave once more.
    AlreadyTerminated "already_terminated" 409
        ["Ya no trabaja en la empresa", "Su baja ya es efectiva y no se cancela: para contratar de nuevo a esta persona use POST /v1/employees/{id}/rehire."]
        ["They have already left the company", "The termination has taken effect and cannot be cancelled: to take this person on again, use POST /v1/employees/{id}/rehire."];
    /// An end that lies ahead is in the way.
    TerminationScheduled "termination_scheduled" 409
        ["Su baja ya está programada", "Cancélela antes con DELETE /v1/employees/{id}/terminate."]
        ["Their termination is already scheduled", "Cancel it first with DELETE /v1/employees/{id}/terminate."];
    /// No end lies ahead.
    NoTermination "no_termination_scheduled" 409
        ["No hay ninguna baja programada", "Trabaja en la empresa sin fecha de baja: no hay nada que cancelar."]
        ["No termination is scheduled", "They work here and no end is set: there is nothing to cancel."];
    /// Only someone who has left is taken on again.
    NotTerminated "not_terminated" 409
        ["Trabaja en la empresa", "Solo se contrata de nuevo a quien ya no trabaja en la empresa. Para cambiar startDate u otros datos use PATCH /v1/employees/{id}."]
        ["They work for the company", "Only someone who has left is rehired. To change startDate or anything else, use PATCH /v1/employees/{id}."];
    /// A second beginning that lies ahead is in the way.
    RehireScheduled "rehire_scheduled" 409
        ["Su reincorporación ya está programada", "Cancélela antes con DELETE /v1/employees/{id}/rehire."]
        ["Their rehire is already scheduled", "Cancel it first with DELETE /v1/employees/{id}/rehire."];
    /// No second beginning lies ahead.
    NoRehire "no_rehire_scheduled" 409
        ["No hay ninguna reincorporación programada", "Solo se cancela la que aún no ha llegado. Para dar de baja a quien ya trabaja use POST /v1/employees/{id}/terminate."]
        ["No rehire is scheduled", "Only one that lies ahead is cancelled. To end the employment of someone at work, use POST /v1/employees/{id}/terminate."];
    /// An endpoint that is disabled gets nothing.
    WebhookDisabled "webhook_disabled" 409
        ["El webhook está desactivado", "Actívelo antes con PATCH /v1/webhooks/{id} y {\"status\":\"enabled\"}."]
        ["The endpoint is disabled", "Enable it first with PATCH /v1/webhooks/{id} and {\"status\":\"enabled\"}."];
    /// Too much waits to be put in order.
    TooManyWaiting "too_many_waiting" 409
        ["Hay demasiadas entregas en espera", "Cambie «ordered» cuando haya menos, o cree otro webhook y envíele de nuevo lo que falte."]
        ["Too many deliveries are waiting", "Change `ordered` when there are fewer, or create another endpoint and replay to it what is missing."];
    /// The log no longer reaches back to the cursor.
    CursorExpired "cursor_expired" 410
        ["El registro de eventos ya no llega tan atrás", "Exporte de nuevo los datos y siga desde la secuencia que indica la exportación, u omita «after» para leer desde el evento más antiguo que se conserva."]
        ["The event log no longer reaches back that far", "Export the data again and go on from the sequence that the export tells, or leave `after` out to read from the oldest event that is kept."];
    /// The resource is not the one that `If-Match` names.
    PreconditionFailed "precondition_failed" 412
        ["El recurso ha cambiado entretanto", "Léalo de nuevo, aplique el cambio sobre la nueva versión y use su ETag en If-Match."]
        ["The resource has changed in the meantime", "Read it again, apply the change to the new version and use its ETag in If-Match."];
    /// The body is over 1 MiB.
    BodyTooLarge "body_too_large" 413
        ["El cuerpo es demasiado grande", "Envíe 1 MiB como máximo."]
        ["The body is too large", "Send at most 1 MiB."];
    /// The content type is none that is read as JSON.
    UnsupportedMediaType "unsupported_media_type" 415
        ["Ese tipo de contenido no se admite", "Envíe JSON como application/json, application/merge-patch+json o text/plain."]
        ["That content type is not supported", "Send JSON as application/json, application/merge-patch+json or text/plain."];
    /// One or more fields are wrong.
    InvalidFields "invalid_fields" 422
        ["Hay campos que no son válidos", "Corrija los campos señalados en «errors»; no se ha guardado nada."]
        ["Some fields are not valid", "Correct the fields named in `errors`; nothing was stored."];
    /// An item of a batch that is all or nothing was refused.
    BatchRefused "batch_refused" 422
        ["El lote se ha rechazado entero", "Corrija los elementos de «results»; no se ha guardado nada de ninguno."]
        ["The whole batch was refused", "Correct the items in `results`; nothing of any item was stored."];
    /// The key was used for another request.
    IdempotencyMismatch "idempotency_mismatch" 422
        ["Esta Idempotency-Key ya se usó para otra petición", "Use una clave nueva para cada operación y repita la misma solo con el mismo cuerpo."]
        ["This Idempotency-Key was used for another request", "Use a new key for each operation, and repeat one only with the same body."];
    /// The rate is over the plan's number.
    RateLimited "rate_limited" 429
        ["Se ha superado el límite de peticiones del plan", "Espere los segundos de Retry-After y siga con espera exponencial."]
        ["The plan's rate limit is exceeded", "Wait the seconds of Retry-After, and back off exponentially."];
    /// The plan allows no more open streams.
    TooManyStreams "too_many_streams" 429
        ["Hay demasiados flujos de eventos abiertos", "Cierre uno que ya no use, o lea GET /v1/events; un mismo flujo puede servir a varios consumidores."]
        ["Too many event streams are open", "Close one that is no longer used, or page GET /v1/events; one stream can serve several consumers."];
    /// It is our fault.
    Internal "internal" 500
        ["Algo ha fallado por nuestra parte", "No es culpa de la petición. Si se repite, envíenos el requestId."]
        ["Something broke on our side", "The request is not to blame. If it happens again, send us the requestId."];
    /// The database is away or full.
    Unavailable "unavailable" 503
        ["El servicio no está disponible en este momento", "No se ha guardado nada. Repita la petición tras los segundos de Retry-After."]
        ["The service is not available at the moment", "Nothing was stored. Repeat the request after the seconds of Retry-After."];
}

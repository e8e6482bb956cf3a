//! Departments, as far as employees make them: a new name creates one.

use orquiva_core::employee::department_key;
use orquiva_core::event::EventType;
use orquiva_core::{Fault, FieldError, NewEmployee};
use orquiva_store::Tx;
use orquiva_store::department::{self, Department};
use serde_json::json;

use crate::pen::{Pen, Refusal, announce};

/// The department that `wish` means. A name that is new creates one and announces it; an id has to exist;
/// if both are given they have to agree.
pub(crate) async fn find_or_create(
    tx: &Tx,
    pen: &Pen,
    wish: &NewEmployee,
) -> Result<Option<Department>, Refusal> {
    let refuse =
        |pointer: &str, fault| Refusal::Fields(vec![FieldError { pointer: pointer.to_owned(), fault }]);
    if let Some(id) = wish.department_id {
        let found = department::by_id(tx, pen.company, id).await?;
        let found = found.ok_or_else(|| refuse("/departmentId", Fault::UnknownDepartment))?;
        let agrees = |name: &String| department_key(name) == department_key(&found.name);
        return match wish.department.as_ref().is_none_or(agrees) {
            true => Ok(Some(found)),
            false => Err(refuse("/departmentId", Fault::DepartmentsDisagree)),
        };
    }
    let Some(name) = &wish.department else { return Ok(None) };
    let key = department_key(name);
    if let Some(found) = department::by_name(tx, pen.company, &key).await? {
        return Ok(Some(found));
    }
    let new = Department { id: pen.mint.next(), name: name.clone() };
    department::create(tx, pen.company, &new, &key, pen.now).await?;
    let data = json!({ "id": new.id, "name": new.name, "createdAt": pen.now });
    announce(tx, pen, EventType::DepartmentCreated, new.id.to_string(), data, None).await?;
    Ok(Some(new))
}

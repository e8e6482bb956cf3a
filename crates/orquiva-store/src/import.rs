//! Imports of people from files: how far each has come, and its rows, sealed, in pieces.

use orquiva_core::Timestamp;
use orquiva_core::id::{CompanyId, ImportId, UserId};

use crate::sql::sql;
use crate::{Row, StoreError, Tx, args};

/// An import.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its id.
    pub id: ImportId,
    /// Whose people it brings.
    pub company: CompanyId,
    /// Where it stands.
    pub state: String,
    /// What is known of the file, how its columns are read, and how far it has come, as JSON.
    pub told: String,
    /// Who brought the file.
    pub created_by: UserId,
    /// When.
    pub created_at: Timestamp,
}

/// A piece of a file.
#[derive(Clone, Debug)]
pub struct Part {
    /// Its place, from 0.
    pub number: i64,
    /// Its rows, sealed; empty once they are needed no more.
    pub sealed: Vec<u8>,
    /// What is wrong with its rows, as JSON.
    pub faults: Option<String>,
    /// Whom it has brought, as JSON.
    pub people: Option<String>,
}

/// Adds an import.
pub async fn create(tx: &Tx, job: &Job) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into import_job (company_id, id, state, told, created_by, created_at, leased_until)
         values ($1, $2, $3, $4, $5, $6, 0)"
    );
    let Job { id, company, state, told, created_by, created_at } = job;
    tx.run(sql, args![*company, *id, state, told, *created_by, *created_at]).await.map(drop)
}

/// One import.
pub async fn get(tx: &Tx, company: CompanyId, id: ImportId) -> Result<Job, StoreError> {
    let sql = sql!(
        "select id, company_id, state, told, created_by, created_at from import_job where company_id = $1 and id = $2"
    );
    tx.first(sql, args![company, id], read).await?.ok_or(StoreError::NotFound)
}

/// Up to `limit` imports of a company, the newest first.
pub async fn list(tx: &Tx, company: CompanyId, limit: i64) -> Result<Vec<Job>, StoreError> {
    let sql = sql!(
        "select id, company_id, state, told, created_by, created_at from import_job
          where company_id = $1 order by id desc limit $2"
    );
    tx.all(sql, args![company, limit], read).await
}

/// Stores where an import stands, if it stood at `from`; whether it did.
pub async fn advance(tx: &Tx, job: &Job, from: &str) -> Result<bool, StoreError> {
    let sql =
        sql!("update import_job set state = $3, told = $4 where company_id = $1 and id = $2 and state = $5");
    Ok(tx.run(sql, args![job.company, job.id, &job.state, &job.told, from]).await? > 0)
}

/// Takes the import of any company that someone has to work at until `until`, if there is one.
pub async fn claim(tx: &Tx, now: Timestamp, until: Timestamp) -> Result<Option<Job>, StoreError> {
    let sql = sql!(
        sqlite "update import_job set leased_until = $2
                 where id in (select id from import_job
                               where state in ('checking', 'running', 'linking', 'undoing') and leased_until <= $1
                               order by leased_until limit 1)
                returning id, company_id, state, told, created_by, created_at",
        postgres "update import_job set leased_until = $2
                   where id in (select id from import_job
                                 where state in ('checking', 'running', 'linking', 'undoing') and leased_until <= $1
                                 order by leased_until limit 1 for update skip locked)
                  returning id, company_id, state, told, created_by, created_at"
    );
    tx.first(sql, args![now, until], read).await
}

/// Hands an import back, for whoever goes on with it.
pub async fn release(tx: &Tx, company: CompanyId, id: ImportId) -> Result<(), StoreError> {
    let sql = sql!("update import_job set leased_until = 0 where company_id = $1 and id = $2");
    tx.run(sql, args![company, id]).await.map(drop)
}

/// Adds a piece of a file.
pub async fn add_part(
    tx: &Tx,
    company: CompanyId,
    job: ImportId,
    number: i64,
    sealed: &[u8],
) -> Result<(), StoreError> {
    let sql = sql!("insert into import_part (company_id, job_id, number, sealed) values ($1, $2, $3, $4)");
    tx.run(sql, args![company, job, number, sealed]).await.map(drop)
}

/// A piece of a file.
pub async fn part(tx: &Tx, company: CompanyId, job: ImportId, number: i64) -> Result<Part, StoreError> {
    let sql = sql!(
        "select number, sealed, faults, people from import_part where company_id = $1 and job_id = $2 and number = $3"
    );
    tx.first(sql, args![company, job, number], read_part).await?.ok_or(StoreError::NotFound)
}

/// The next piece from `number` on in which something is wrong.
pub async fn faulty(
    tx: &Tx,
    company: CompanyId,
    job: ImportId,
    number: i64,
) -> Result<Option<Part>, StoreError> {
    let sql = sql!(
        "select number, sealed, faults, people from import_part
          where company_id = $1 and job_id = $2 and number >= $3 and faults is not null order by number limit 1"
    );
    tx.first(sql, args![company, job, number], read_part).await
}

/// Stores what became of a piece.
pub async fn note_part(tx: &Tx, company: CompanyId, job: ImportId, part: &Part) -> Result<(), StoreError> {
    let sql = sql!(
        "update import_part set sealed = $4, faults = $5, people = $6
          where company_id = $1 and job_id = $2 and number = $3"
    );
    let Part { number, sealed, faults, people } = part;
    tx.run(sql, args![company, job, *number, sealed, faults, people]).await.map(drop)
}

/// Forgets an import with all its pieces. Whom it has brought stays.
pub async fn remove(tx: &Tx, company: CompanyId, id: ImportId) -> Result<(), StoreError> {
    let parts = sql!("delete from import_part where company_id = $1 and job_id = $2");
    tx.run(parts, args![company, id]).await?;
    let job = sql!("delete from import_job where company_id = $1 and id = $2");
    tx.run(job, args![company, id]).await.map(drop)
}

fn read(row: &Row<'_>) -> Result<Job, StoreError> {
    Ok(Job {
        id: row.id(0)?,
        company: row.id(1)?,
        state: row.text(2)?,
        told: row.text(3)?,
        created_by: row.id(4)?,
        created_at: row.time(5)?,
    })
}

fn read_part(row: &Row<'_>) -> Result<Part, StoreError> {
    Ok(Part {
        number: row.int(0)?,
        sealed: row.bytes(1)?,
        faults: row.opt_text(2)?,
        people: row.opt_text(3)?,
    })
}

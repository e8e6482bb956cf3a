-- The history of a person, newest first. Hires do not pay for it: what tells of a hire is found by the time of its id.
create index event_subject on event (subject_id, position) where type <> 'employee.created';

-- An import of people from a file. `told` is what is known of the file, how its columns are read, and how far it has come.
create table import_job (
    company_id text not null,
    id text not null,
    state text not null,
    told text not null,
    created_by text not null,
    created_at bigint not null,
    leased_until bigint not null,
    primary key (company_id, id)
) {clustered};
create index import_job_work on import_job (leased_until)
    where state in ('checking', 'running', 'linking', 'undoing');

-- A piece of a file: its rows sealed, what is wrong with them, and whom it has brought.
create table import_part (
    company_id text not null,
    job_id text not null,
    number bigint not null,
    sealed bytea not null,
    faults text,
    people text,
    primary key (company_id, job_id, number)
) {clustered};

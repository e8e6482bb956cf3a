-- What an administrator has to know. `data` is JSON.
create table notice (
    company_id text not null,
    id text not null,
    kind text not null,
    webhook_id text not null,
    data text not null,
    created_at bigint not null,
    read_at bigint,
    primary key (company_id, id)
) {clustered};
create index notice_unread on notice (company_id, id) where read_at is null;

-- People who use the console. One of them may serve several companies.
create table console_user (
    id text not null primary key,
    email text not null,
    email_key text not null,
    name text not null,
    password_hash text not null,
    language text,
    failures bigint not null,
    blocked_until bigint not null,
    created_at bigint not null,
    last_sign_in_at bigint
);
create unique index console_user_email on console_user (email_key);

-- Who belongs to a company's console, and as what.
create table member (
    company_id text not null,
    user_id text not null,
    role text not null,
    created_by text not null,
    created_at bigint not null,
    primary key (company_id, user_id)
) {clustered};
create index member_user on member (user_id);

-- The language of a company's pages for who has chosen none.
alter table company add column language text;

-- A browser that is signed in. Its token is kept as a keyed hash.
create table session (
    id text not null primary key,
    token_hash bytea not null,
    user_id text not null,
    company_id text,
    address text,
    agent text not null,
    created_at bigint not null,
    seen_at bigint not null,
    confirmed_at bigint not null,
    expires_at bigint not null
);
create unique index session_token on session (token_hash);
create index session_of on session (user_id);
create index session_end on session (expires_at);

-- Who did what in a company, from where, before and after. Rows are only ever added. `sequence` and `hash` are given
-- when an entry is put into its place in the chain.
create table audit_entry (
    company_id text not null,
    id text not null,
    at bigint not null,
    actor_type text not null,
    actor_id text,
    actor_name text not null,
    address text,
    action text not null,
    target text not null,
    before text,
    after text,
    sequence bigint,
    hash bytea,
    primary key (company_id, id)
) {clustered};
create unique index audit_place on audit_entry (company_id, sequence) where sequence is not null;
create index audit_unsealed on audit_entry (id) where sequence is null;
create index audit_actor on audit_entry (company_id, actor_id, id);
create index audit_action on audit_entry (company_id, action, id);
create index audit_target on audit_entry (company_id, target, id);

-- How deliveries came out, minute by minute: counted in memory by each node, added up here. `retried` are attempts that
-- another one follows; `millis` is what all attempts took together, `slowest` the longest one.
create table delivery_minute (
    company_id text not null,
    minute bigint not null,
    delivered bigint not null,
    retried bigint not null,
    failed bigint not null,
    millis bigint not null,
    slowest bigint not null,
    primary key (company_id, minute)
) {clustered};
create index delivery_minute_age on delivery_minute (minute);

-- Where the chain of a company's audit ends. `tag` is keyed: without the master key nobody can write another end.
create table audit_log (
    company_id text not null primary key,
    sequence bigint not null,
    hash bytea not null,
    tag bytea not null
) {clustered};

-- An authenticator app's secret, sealed, and the step of the last code that was used.
alter table console_user add column totp bytea;
alter table console_user add column totp_step bigint not null default 0;

-- Codes for whoever lost the app, as keyed hashes; each goes when it is used.
create table recovery_code (
    user_id text not null,
    code_hash bytea not null,
    primary key (user_id, code_hash)
) {clustered};

create table passkey (
    id text not null primary key,
    user_id text not null,
    name text not null,
    public_key bytea not null,
    algorithm bigint not null,
    counter bigint not null,
    created_at bigint not null,
    last_used_at bigint
);
create index passkey_user on passkey (user_id);

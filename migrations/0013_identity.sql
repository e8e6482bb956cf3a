-- Who someone is to the OpenID Connect provider of this installation: `subject` is theirs there for ever.
create table identity (
    issuer text not null,
    subject text not null,
    user_id text not null,
    email text,
    created_at bigint not null,
    last_used_at bigint,
    primary key (issuer, subject)
) {clustered};
create index identity_user on identity (user_id);

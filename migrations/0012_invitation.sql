-- Who was invited to a company's console and has not come yet. The link's token is kept as a keyed hash; the row goes when
-- the invitation is accepted, withdrawn, or takes another one's place.
create table invitation (
    company_id text not null,
    id text not null,
    email text not null,
    email_key text not null,
    role text not null,
    token_hash bytea not null,
    invited_by text not null,
    invited_by_name text not null,
    created_at bigint not null,
    expires_at bigint not null,
    primary key (company_id, id)
) {clustered};
create unique index invitation_token on invitation (token_hash);
create unique index invitation_email on invitation (company_id, email_key);

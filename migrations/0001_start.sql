-- One text for both engines. Times are milliseconds since 1970, JSON is text, ids are text.
-- Ids rise with time. A key that begins with the id of something short-lived is written at its right end alone, and
-- one that begins with the company in as many places as there are companies: every page that a commit touches is paid for.
-- {position}: a number that rises with each insert. {clustered}: rows are kept in the order of their key.
-- {bytewise}: compared byte by byte, so both engines keep the same order and find beginnings of words.

create table setting (
    name text not null primary key,
    value bytea not null
);

-- `version` rises with each change to a company, a client or a signing key: nodes drop what they remember.
-- `revocations` rises with each revoked token.
create table authority (
    id bigint not null primary key,
    version bigint not null,
    revocations bigint not null
);
insert into authority (id, version, revocations) values (1, 1, 1);

create table signing_key (
    id text not null primary key,
    sealed bytea not null,
    public bytea not null,
    created_at bigint not null
);

create table company (
    id text not null primary key,
    name text not null,
    plan text not null,
    closed_departments bigint not null,
    created_at bigint not null,
    suspended_at bigint
);

create table client (
    company_id text not null,
    id text not null,
    name text not null,
    scopes text not null,
    secret_hash bytea not null,
    previous_hash bytea,
    previous_until bigint,
    expires_at bigint,
    allowed_ips text not null,
    share bigint,
    keys text,
    dpop_required bigint not null,
    created_by text not null,
    created_at bigint not null,
    last_used_at bigint,
    revoked_at bigint,
    primary key (company_id, id)
);
create unique index client_id on client (id);

-- Tokens that ended before their time, kept until that time.
create table revoked_token (
    company_id text not null,
    id text not null,
    expires_at bigint not null,
    primary key (company_id, id)
) {clustered};
create index revoked_token_end on revoked_token (expires_at);

-- Assertions of clients that were spent, kept until they expire.
create table assertion (
    company_id text not null,
    client_id text not null,
    name text not null,
    expires_at bigint not null,
    primary key (company_id, client_id, name)
) {clustered};
create index assertion_end on assertion (expires_at);

create table usage_minute (
    company_id text not null,
    minute bigint not null,
    client_id text not null,
    requests bigint not null,
    refused bigint not null,
    errors bigint not null,
    primary key (company_id, minute, client_id)
) {clustered};
create index usage_minute_client on usage_minute (company_id, client_id, minute);
create index usage_minute_age on usage_minute (minute);

create table department (
    company_id text not null,
    id text not null,
    name text not null,
    name_key text not null,
    code text,
    parent_id text,
    lead_ids text not null,
    version bigint not null,
    created_at bigint not null,
    updated_at bigint not null,
    primary key (company_id, id)
);
create unique index department_name on department (company_id, name_key);
create unique index department_code on department (company_id, code) where code is not null;
create index department_parent on department (company_id, parent_id, id);

-- Which departments an employee leads: the other direction of `lead_ids`.
create table department_lead (
    company_id text not null,
    employee_id text not null,
    department_id text not null,
    primary key (company_id, employee_id, department_id)
) {clustered};
create index department_lead_department on department_lead (company_id, department_id);

-- The fields that a company has added to its employees.
create table custom_field (
    company_id text not null,
    slug text not null,
    label text not null,
    type text not null,
    choices text,
    sensitive bigint not null,
    version bigint not null,
    created_at bigint not null,
    updated_at bigint not null,
    primary key (company_id, slug)
) {clustered};

create table employee (
    company_id text not null,
    id text not null,
    full_name text not null,
    first_name text,
    last_name text,
    second_last_name text,
    preferred_name text,
    email text not null,
    email_key text {bytewise} not null,
    phone text,
    employee_number text,
    status text not null,
    start_date text,
    job_title text,
    employment_type text,
    location text,
    department_id text,
    external_refs text not null,
    original_hire_date text,
    end_date text,
    termination_reason text,
    manager_id text,
    personal_email text,
    birth_date text,
    gender text,
    nationality text,
    national_id text,
    home_address text,
    -- The day on which what lies ahead is carried out, and how the employment stood before it was decided.
    due_on text,
    former text,
    -- Values of the fields that the company has added, as JSON by slug: those that all see, and those that some do.
    custom_fields text,
    sensitive_custom_fields text,
    version bigint not null,
    created_at bigint not null,
    updated_at bigint not null,
    name_key text {bytewise} not null,
    location_key text,
    words text not null,
    primary key (company_id, id)
) {clustered};
create index employee_due on employee (due_on) where due_on is not null;
create index employee_manager on employee (company_id, manager_id, id) where manager_id is not null;
create unique index employee_email on employee (company_id, email_key);
create unique index employee_number on employee (company_id, employee_number) where employee_number is not null;
create index employee_department on employee (company_id, department_id, id);
-- Most are active: those are found by walking along the company.
create index employee_status on employee (company_id, status, id) where status <> 'active';
create index employee_name on employee (company_id, name_key, id);
create index employee_updated on employee (company_id, updated_at, id);

-- The words by whose beginnings people are found, a row each; `employee.words` has the same ones in one text.
create table employee_word (
    company_id text not null,
    word text {bytewise} not null,
    employee_id text not null,
    primary key (company_id, word, employee_id)
) {clustered};

create table external_ref (
    company_id text not null,
    system text not null,
    value text not null,
    employee_id text not null,
    primary key (company_id, system, value)
) {clustered};
create index external_ref_employee on external_ref (company_id, employee_id);

-- Answers are long: they lie in the order in which they were given, and the key finds them.
create table idempotency (
    company_id text not null,
    client_id text not null,
    key text not null,
    fingerprint bytea not null,
    status bigint not null,
    location text,
    etag text,
    body bytea not null,
    created_at bigint not null,
    primary key (company_id, client_id, key)
);
create index idempotency_age on idempotency (created_at);

-- The log of a company. `sequence` is null from the commit until the router has given it its place. What only some
-- may see of `data` and `previous` is not in `payload` but in `sensitive`.
create table event (
    position {position},
    company_id text not null,
    id text not null,
    type text not null,
    subject_id text not null,
    created_at bigint not null,
    sequence bigint,
    payload text not null,
    sensitive text
);
create unique index event_id on event (id, company_id);
create unique index event_sequence on event (company_id, sequence) where sequence is not null;
create index event_unrouted on event (position) where sequence is null;

-- For readers of rare types. The two that most events are of are found by walking along the log, so hires do not pay.
create index event_rare on event (company_id, type, sequence)
    where sequence is not null and type <> 'employee.created' and type <> 'employee.updated';

-- Where a company's log ends, and up to where it has expired.
create table event_log (
    company_id text not null primary key,
    last_sequence bigint not null,
    expired_sequence bigint not null
) {clustered};

create table webhook (
    company_id text not null,
    id text not null,
    url text not null,
    events text not null,
    description text,
    max_concurrency bigint not null,
    sensitive bigint not null,
    secret bytea not null,
    status text not null,
    disabled_reason text,
    created_at bigint not null,
    primary key (company_id, id)
);

-- An endpoint's queue. `due_at` is when a worker may take it: null while nothing waits, and while one
-- has it (`lease_id`), the moment at which its lease runs out.
create table lane (
    company_id text not null,
    webhook_id text not null,
    due_at bigint,
    lease_id text,
    paused_until bigint not null,
    failing_since bigint,
    primary key (company_id, webhook_id)
) {clustered};
create index lane_due on lane (due_at) where due_at is not null;

create table delivery (
    company_id text not null,
    id text not null,
    webhook_id text not null,
    event_id text not null,
    event_type text not null,
    state text not null,
    attempts bigint not null,
    due_at bigint not null,
    first_due_at bigint not null,
    created_at bigint not null,
    done_at bigint,
    status bigint,
    error text,
    primary key (company_id, id)
) {clustered};
create index delivery_webhook on delivery (company_id, webhook_id, id);
create index delivery_event on delivery (event_id, company_id);
create index delivery_waiting on delivery (company_id, webhook_id, due_at, id) where state = 'waiting';

create table attempt (
    company_id text not null,
    delivery_id text not null,
    number bigint not null,
    started_at bigint not null,
    duration bigint not null,
    status bigint,
    error text,
    response text,
    primary key (delivery_id, number, started_at, company_id)
) {clustered};

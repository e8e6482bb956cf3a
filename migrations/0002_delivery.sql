-- Endpoints that say how they want their deliveries, lanes that protect themselves, replays and notices.

-- `filter` is JSON (path to allowed values), `headers` JSON of names and sealed values, `retry_schedule` a JSON list of
-- seconds. The previous secret signs beside the new one until its time is over; `signing_key` is a sealed Ed25519 seed,
-- `public_key` what anyone may know of it.
alter table webhook add column version bigint not null default 1;
alter table webhook add column updated_at bigint not null default 0;
alter table webhook add column disabled_at bigint;
alter table webhook add column filter text;
alter table webhook add column payload text not null default 'full';
alter table webhook add column format text not null default 'json';
alter table webhook add column headers text;
alter table webhook add column ordered bigint not null default 0;
alter table webhook add column rate_per_second bigint;
alter table webhook add column retry_schedule text;
alter table webhook add column previous_secret bytea;
alter table webhook add column previous_secret_until bigint;
alter table webhook add column signing_key bytea;
alter table webhook add column public_key text;
alter table webhook add column previous_signing_key bytea;
alter table webhook add column previous_public_key text;
create index webhook_id on webhook (id);
update webhook set updated_at = created_at;

-- The breaker: failures in a row, the different deliveries that failed last (`failed`), the last outcomes as bits, how
-- many probes were put off (0 while it is closed), and how many calls at once are allowed while it recovers (null: all).
-- `next_at` is when the calls of an endpoint with a rate are paid for, in microseconds. `warned` counts the warnings since
-- `failing_since`.
alter table lane add column failures bigint not null default 0;
alter table lane add column failed text;
alter table lane add column outcomes bigint not null default 0;
alter table lane add column trips bigint not null default 0;
alter table lane add column slow_start bigint;
alter table lane add column next_at bigint not null default 0;
alter table lane add column warned bigint not null default 0;

-- `place` is the event's sequence in a lane that keeps order, and null in others.
alter table delivery add column place bigint;
alter table delivery add column replay_id text;
drop index delivery_waiting;
create index delivery_first on delivery (company_id, webhook_id, due_at, id)
    where state = 'waiting' and place is null and attempts = 0;
create index delivery_again on delivery (company_id, webhook_id, due_at, id)
    where state = 'waiting' and place is null and attempts > 0;
create index delivery_placed on delivery (company_id, webhook_id, place)
    where state = 'waiting' and place is not null;

-- What was called, from which the request can be shown again, and more of what came back; `detail` says in words what
-- failed.
alter table attempt add column url text;
alter table attempt add column signature text;
alter table attempt add column address text;
alter table attempt add column response_headers text;
alter table attempt add column detail text;

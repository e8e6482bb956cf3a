-- What was delivered can be delivered again, and the log tells what was sent and what came back.

-- `shape` is how the body was made of the event, null if plainly.
-- `signature` has the headers of the request that nothing else in the row tells, one `name: value` a line.
alter table attempt add column shape text;

alter table lane add column last_success_at bigint;

-- What waits is in one of four lines: sent for the first time, tried again, asked for again, or in the order of places.
drop index delivery_first;
create index delivery_first on delivery (company_id, webhook_id, due_at, id)
    where state = 'waiting' and place is null and attempts = 0 and replay_id is null;
create index delivery_replayed on delivery (company_id, webhook_id, due_at, id)
    where state = 'waiting' and place is null and attempts = 0 and replay_id is not null;

-- Those that did not arrive, of a company; and those of a replay.
create index delivery_ended on delivery (company_id, state, id) where state in ('failed', 'cancelled');
create index delivery_replay on delivery (company_id, replay_id, id) where replay_id is not null;
create index delivery_replay_waiting on delivery (company_id, replay_id, id)
    where replay_id is not null and state = 'waiting';

-- Events that one endpoint gets again. `position` is the last place of the log that was looked at, `last` where it ends;
-- `sequences` is a JSON list of places if they were named one by one. `next_at` is when it goes on: null once it is over.
create table replay (
    company_id text not null,
    id text not null,
    webhook_id text not null,
    from_at bigint,
    to_at bigint,
    types text,
    which text not null,
    sequences text,
    rate bigint,
    status text not null,
    reason text,
    position bigint not null,
    last bigint not null,
    total bigint not null,
    is_exact bigint not null,
    queued bigint not null,
    delivered bigint,
    failed bigint,
    cancelled bigint,
    next_at bigint,
    created_at bigint not null,
    done_at bigint,
    primary key (company_id, id)
) {clustered};
create index replay_due on replay (next_at) where next_at is not null;
create index replay_webhook on replay (company_id, webhook_id, id);

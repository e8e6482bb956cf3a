-- What is remembered of an endpoint is changed by its owner too (a pause, a resume, a retry), while someone works its
-- lane: how often, so that who works it stores nothing older over it.
alter table lane add column changes bigint not null default 0;

-- The history of a person, newest first. Hires do not pay for it: what tells of a hire is found by the time of its id.
create index event_subject on event (subject_id, position) where type <> 'employee.created';

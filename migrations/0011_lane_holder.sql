-- Which server has a lane, by a name that it keeps: when it is started again, it takes back what it held when it was killed.
alter table lane add column holder text;

-- The order of first days; who has none comes before all others.
create index employee_start on employee (company_id, coalesce(start_date, ''), id);

-- Those who have left: how many people are in a department, or report to someone, is counted without them.
create index employee_left_department on employee (company_id, department_id, status) where status = 'terminated';
create index employee_left_manager on employee (company_id, manager_id, status) where status = 'terminated';

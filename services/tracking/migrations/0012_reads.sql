-- Runs by the value of a param, which most searches that look for one ask for.
--
-- Longer values cannot stand in an index; a search for one goes through the params of each run.
-- Values of metrics have no index: every point logged would move in it. Nor have those of tags, which
-- every new run has several of.

CREATE INDEX params_by_value ON params (tenant_no, key, value) WHERE octet_length(value) <= 100;
-- Or the planner takes a third of all values for that short.
CREATE STATISTICS params_length ON (octet_length(value)) FROM params;

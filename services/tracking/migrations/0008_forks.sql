-- Runs that continue others: whose points stand before a run's own, and up to which step.
--
-- No point is copied. The table is flat: a fork of a fork has a row for each run before it, so that
-- a history is read with one look at the index, however long the line. `ancestor_no` has no foreign
-- key: points stay for their forks when the run that logged them is removed.

CREATE TABLE run_ancestry (
    tenant_no   int4 NOT NULL,
    run_no      int8 NOT NULL,
    ancestor_no int8 NOT NULL,
    up_to       int8 NOT NULL,
    PRIMARY KEY (tenant_no, run_no, ancestor_no),
    FOREIGN KEY (tenant_no, run_no) REFERENCES runs ON DELETE CASCADE
);
CREATE INDEX run_ancestry_of_ancestor ON run_ancestry (tenant_no, ancestor_no, up_to);

ALTER TABLE run_ancestry ENABLE ROW LEVEL SECURITY;
ALTER TABLE run_ancestry FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON run_ancestry
    USING (tenant_no = nullif(current_setting('app.tenant', true), '')::int4)
    WITH CHECK (tenant_no = nullif(current_setting('app.tenant', true), '')::int4);

GRANT SELECT, INSERT ON run_ancestry TO tracking_app;

-- A metric's points of one run: its own, and those of the runs that it continues. The planner
-- writes its text into the statement that calls it.
CREATE FUNCTION points_of(p_tenant_no int4, p_run_no int8, p_key_no int4)
RETURNS TABLE (step int8, ts int8, value float8) LANGUAGE sql STABLE AS $$
    SELECT p.step, p.ts, p.value FROM metric_points p
    WHERE p.tenant_no = p_tenant_no AND p.run_no = p_run_no AND p.key_no = p_key_no
    UNION ALL
    SELECT p.step, p.ts, p.value
    FROM run_ancestry a
    JOIN metric_points p ON p.tenant_no = a.tenant_no AND p.run_no = a.ancestor_no
    WHERE a.tenant_no = p_tenant_no AND a.run_no = p_run_no AND p.key_no = p_key_no
      AND p.step <= a.up_to
$$;

-- What tenants use, counted where it happens, and the plan that says how much of it they may.

CREATE TABLE tenant_plans (
    tenant_no int4 PRIMARY KEY,
    plan      text NOT NULL,
    version   int8 NOT NULL
);

-- New runs of a day (UTC). Each server process counts in a row of its own, so that writers of one
-- tenant do not wait for one another until COMMIT.
CREATE TABLE run_usage (
    tenant_no int4 NOT NULL,
    day       date NOT NULL,
    part      int2 NOT NULL,
    runs      int8 NOT NULL,
    PRIMARY KEY (tenant_no, day, part)
) WITH (fillfactor = 50);

-- Bytes of artifacts that were stored since this table is there, less those removed.
CREATE TABLE artifact_usage (
    tenant_no int4 NOT NULL,
    part      int2 NOT NULL,
    bytes     int8 NOT NULL,
    PRIMARY KEY (tenant_no, part)
) WITH (fillfactor = 50);

CREATE FUNCTION count_run() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO run_usage AS u (tenant_no, day, part, runs)
    VALUES (NEW.tenant_no, (now() AT TIME ZONE 'UTC')::date, pg_backend_pid() % 64, 1)
    ON CONFLICT (tenant_no, day, part) DO UPDATE SET runs = u.runs + 1;
    RETURN NULL;
END $$;

CREATE TRIGGER count_run AFTER INSERT ON runs FOR EACH ROW EXECUTE FUNCTION count_run();

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['tenant_plans', 'run_usage', 'artifact_usage'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY own_tenant ON %I'
            ' USING (tenant_no = nullif(current_setting(''app.tenant'', true), '''')::int4)'
            ' WITH CHECK (tenant_no = nullif(current_setting(''app.tenant'', true), '''')::int4)',
            name
        );
    END LOOP;
END $$;

GRANT SELECT, INSERT, UPDATE ON tenant_plans, run_usage, artifact_usage TO tracking_app;

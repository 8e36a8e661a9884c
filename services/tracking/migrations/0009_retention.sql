-- How long what is deleted is kept, and what is on its way to be removed for good.

-- Of an experiment for which somebody has said so; others go by the platform's setting. Days of 0
-- stand for ever; finished runs are put aside only where `finished_days` says when.
CREATE TABLE experiment_retention (
    tenant_no     int4 NOT NULL,
    experiment_id int4 NOT NULL,
    deleted_days  int4 NOT NULL CHECK (deleted_days >= 0),
    finished_days int4 CHECK (finished_days > 0),
    PRIMARY KEY (tenant_no, experiment_id),
    FOREIGN KEY (tenant_no, experiment_id) REFERENCES experiments ON DELETE CASCADE
);

-- Runs and logged models past their time, and what the registry has said of them: `asked` until it
-- has. A row counts for as long as its source has the same version: any change lifts it.
CREATE TABLE condemned (
    tenant_no int4 NOT NULL,
    id        uuid NOT NULL,
    kind      text NOT NULL CHECK (kind IN ('run', 'model')),
    version   int8 NOT NULL,
    state     text NOT NULL DEFAULT 'asked' CHECK (state IN ('asked', 'released', 'kept')),
    asked_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_no, id)
);
CREATE INDEX condemned_released ON condemned (tenant_no, kind, asked_at) WHERE state = 'released';

-- Runs that are gone whose points are not yet, or not as far as no fork needs them.
CREATE TABLE leftover_points (
    tenant_no int4 NOT NULL,
    run_no    int8 NOT NULL,
    PRIMARY KEY (tenant_no, run_no)
);

-- Up to when something was deleted that is past its time now, in milliseconds; NULL where nothing
-- ever is. `p_days` are somebody's word for this once, `p_own` the experiment's rule.
CREATE FUNCTION due_before(p_days int4, p_own int4, p_default int4) RETURNS int8
LANGUAGE sql STABLE
RETURN CASE
    WHEN p_days IS NOT NULL OR coalesce(p_own, p_default) > 0
    THEN (extract(epoch FROM now()) * 1000)::int8
         - coalesce(p_days, p_own, p_default)::int8 * 86400000
END;

-- When a UUID of version 7 was made, by the clock of the server that made it.
CREATE FUNCTION made_at(p_id uuid) RETURNS int8 LANGUAGE sql IMMUTABLE
RETURN ('x' || left(replace(p_id::text, '-', ''), 12))::bit(48)::int8;

-- A finished run that was put aside and brought back is not put aside again at once.
ALTER TABLE runs ADD COLUMN restored_time int8;

CREATE INDEX runs_deleted ON runs (tenant_no, deleted_time) WHERE lifecycle_stage = 'deleted';
CREATE INDEX logged_models_deleted ON logged_models (tenant_no, last_update_time)
    WHERE lifecycle_stage = 'deleted';
CREATE INDEX experiments_deleted ON experiments (tenant_no, last_update_time)
    WHERE lifecycle_stage = 'deleted';

-- The registry's versions are known by their runs too: what one needs is not asked for at all.
ALTER TABLE model_versions ALTER COLUMN model_id DROP NOT NULL;
ALTER TABLE model_versions ADD COLUMN run_id uuid;
CREATE INDEX model_versions_of_run ON model_versions (tenant_no, run_id) WHERE run_id IS NOT NULL;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['experiment_retention', 'condemned', 'leftover_points'] LOOP
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

GRANT SELECT, INSERT, UPDATE, DELETE ON experiment_retention, condemned, leftover_points
    TO tracking_app;
-- What 0001 and 0002 keep from being deleted the collector removes; what lies below goes with it.
GRANT DELETE ON experiments, runs, logged_models, datasets, metric_points TO tracking_app;
GRANT UPDATE (context_no) ON metric_points TO tracking_app;

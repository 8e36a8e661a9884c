-- What the registry knows of tracking's runs and logged models, from tracking's facts: read
-- models, rebuilt from snapshots. `version` is the owner's; an older one is passed over.

CREATE TABLE known_runs (
    tenant_no       int4   NOT NULL,
    run_id          text   NOT NULL,
    workspace_id    int4   NOT NULL,
    experiment_id   text   NOT NULL,
    artifact_uri    text   NOT NULL,
    lifecycle_stage text   NOT NULL,
    version         bigint NOT NULL,
    PRIMARY KEY (tenant_no, run_id)
);

CREATE TABLE known_models (
    tenant_no       int4   NOT NULL,
    model_id        text   NOT NULL,
    workspace_id    int4   NOT NULL,
    experiment_id   text   NOT NULL,
    name            text   NOT NULL,
    artifact_uri    text   NOT NULL,
    status          text   NOT NULL,
    source_run_id   text   NOT NULL,
    lifecycle_stage text   NOT NULL,
    version         bigint NOT NULL,
    PRIMARY KEY (tenant_no, model_id)
);

ALTER TABLE known_runs ENABLE ROW LEVEL SECURITY;
ALTER TABLE known_runs FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON known_runs
    USING (tenant_no = nullif(current_setting('app.tenant', true), '')::int4)
    WITH CHECK (tenant_no = nullif(current_setting('app.tenant', true), '')::int4);

ALTER TABLE known_models ENABLE ROW LEVEL SECURITY;
ALTER TABLE known_models FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON known_models
    USING (tenant_no = nullif(current_setting('app.tenant', true), '')::int4)
    WITH CHECK (tenant_no = nullif(current_setting('app.tenant', true), '')::int4);

GRANT SELECT, INSERT, UPDATE, DELETE ON known_runs, known_models TO registry_app;

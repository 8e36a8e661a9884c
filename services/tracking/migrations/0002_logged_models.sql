-- Logged models, their params and tags, and which registered versions were made of them.
--
-- All are tenant tables, walled like those of 0001. A model's metrics are the points whose context
-- names it. Its id is outside `m-` and the 32 hex digits of model_id.

CREATE TABLE logged_models (
    tenant_no        int4 NOT NULL,
    model_id         uuid NOT NULL,
    workspace_id     int4 NOT NULL,
    experiment_id    int4 NOT NULL,
    version          int4 NOT NULL DEFAULT 1,
    name             text COLLATE "C" NOT NULL,
    artifact_uri     text NOT NULL,
    -- MLflow's numbers: 0 unspecified, 1 pending, 2 ready, 3 upload failed.
    status           int2 NOT NULL DEFAULT 1 CHECK (status BETWEEN 0 AND 3),
    lifecycle_stage  text NOT NULL DEFAULT 'active'
                     CHECK (lifecycle_stage IN ('active', 'deleted')),
    model_type       text COLLATE "C" NOT NULL DEFAULT '',
    -- The client's word, as in MLflow: it may name a run that is not there.
    source_run_id    text COLLATE "C" NOT NULL DEFAULT '',
    creation_time    int8 NOT NULL,
    last_update_time int8 NOT NULL,
    created_by       text NOT NULL,
    PRIMARY KEY (tenant_no, model_id),
    FOREIGN KEY (tenant_no, experiment_id) REFERENCES experiments
);
CREATE INDEX logged_models_newest
    ON logged_models (tenant_no, experiment_id, creation_time DESC, model_id);

CREATE TABLE logged_model_params (
    tenant_no int4 NOT NULL,
    model_id  uuid NOT NULL,
    key       text COLLATE "C" NOT NULL,
    value     text COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant_no, model_id, key),
    FOREIGN KEY (tenant_no, model_id) REFERENCES logged_models ON DELETE CASCADE
);

CREATE TABLE logged_model_tags (
    tenant_no int4 NOT NULL,
    model_id  uuid NOT NULL,
    key       text COLLATE "C" NOT NULL,
    value     text COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant_no, model_id, key),
    FOREIGN KEY (tenant_no, model_id) REFERENCES logged_models ON DELETE CASCADE
);

-- Read model of the registry's facts: the versions that were made of logged models. `version` is
-- that of the registry's last fact about it; an older fact is passed over, so versions that are
-- gone stay here. No foreign key: a fact may tell of a model that is not known here.
CREATE TABLE model_versions (
    tenant_no    int4 NOT NULL,
    workspace_id int4 NOT NULL,
    name         text COLLATE "C" NOT NULL,
    number       int4 NOT NULL,
    model_id     uuid NOT NULL,
    version      int8 NOT NULL,
    gone         bool NOT NULL,
    PRIMARY KEY (tenant_no, workspace_id, name, number)
);
CREATE INDEX model_versions_of_model ON model_versions (tenant_no, model_id);

ALTER TABLE logged_models ENABLE ROW LEVEL SECURITY;
ALTER TABLE logged_models FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON logged_models
    USING (tenant_no = nullif(current_setting('app.tenant', true), '')::int4)
    WITH CHECK (tenant_no = nullif(current_setting('app.tenant', true), '')::int4);

ALTER TABLE logged_model_params ENABLE ROW LEVEL SECURITY;
ALTER TABLE logged_model_params FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON logged_model_params
    USING (tenant_no = nullif(current_setting('app.tenant', true), '')::int4)
    WITH CHECK (tenant_no = nullif(current_setting('app.tenant', true), '')::int4);

ALTER TABLE logged_model_tags ENABLE ROW LEVEL SECURITY;
ALTER TABLE logged_model_tags FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON logged_model_tags
    USING (tenant_no = nullif(current_setting('app.tenant', true), '')::int4)
    WITH CHECK (tenant_no = nullif(current_setting('app.tenant', true), '')::int4);

ALTER TABLE model_versions ENABLE ROW LEVEL SECURITY;
ALTER TABLE model_versions FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON model_versions
    USING (tenant_no = nullif(current_setting('app.tenant', true), '')::int4)
    WITH CHECK (tenant_no = nullif(current_setting('app.tenant', true), '')::int4);

GRANT SELECT, INSERT, UPDATE ON logged_models, model_versions TO tracking_app;
GRANT SELECT, INSERT ON logged_model_params TO tracking_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON logged_model_tags TO tracking_app;

-- The lifecycle stage of the run or logged model that a folder of artifacts belongs to, NULL when
-- there is none; in one round trip, as every uploaded file asks.
CREATE FUNCTION artifact_owner_stage(
    p_tenant_no int4, p_workspace_id int4, p_kind text, p_experiment_id int8, p_id uuid
) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('app.tenant', p_tenant_no::text, true);
    IF p_kind = 'run' THEN
        RETURN (SELECT r.lifecycle_stage FROM runs r
                WHERE r.tenant_no = p_tenant_no AND r.run_id = p_id
                  AND r.workspace_id = p_workspace_id AND r.experiment_id = p_experiment_id);
    END IF;
    RETURN (SELECT m.lifecycle_stage FROM logged_models m
            WHERE m.tenant_no = p_tenant_no AND m.model_id = p_id
              AND m.workspace_id = p_workspace_id AND m.experiment_id = p_experiment_id);
END $$;

-- A new logged model with its params and tags, in one round trip; gives when it was made, or why
-- it was not. `tell` is in 0003.
CREATE FUNCTION create_logged_model(
    p_workspace_id int4, p_experiment_id int4, p_model_id uuid, p_name text, p_artifact_uri text,
    p_model_type text, p_source_run_id text, p_param_keys text[], p_param_values text[],
    p_tag_keys text[], p_tag_values text[],
    event_ids uuid[], topics text[], types text[], keys text[], versions int8[], payloads text[],
    p_tenant uuid, p_tenant_no int4, p_subject text, p_traceparent text
) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    stage text;
    made  int8 := (extract(epoch FROM clock_timestamp()) * 1000)::int8;
BEGIN
    PERFORM set_config('app.tenant', p_tenant_no::text, true);
    SELECT e.lifecycle_stage INTO stage FROM experiments e
    WHERE e.tenant_no = p_tenant_no AND e.experiment_id = p_experiment_id
          AND e.workspace_id = p_workspace_id;
    IF stage IS NULL THEN
        RETURN jsonb_build_object('why', 'no-experiment');
    ELSIF stage <> 'active' THEN
        RETURN jsonb_build_object('why', 'experiment-not-active', 'stage', stage);
    END IF;
    INSERT INTO logged_models (tenant_no, model_id, workspace_id, experiment_id, name, artifact_uri,
                               model_type, source_run_id, creation_time, last_update_time,
                               created_by)
    VALUES (p_tenant_no, p_model_id, p_workspace_id, p_experiment_id, p_name, p_artifact_uri,
            p_model_type, p_source_run_id, made, made, p_subject);
    INSERT INTO logged_model_params (tenant_no, model_id, key, value)
    SELECT p_tenant_no, p_model_id, u.key, u.value
    FROM unnest(p_param_keys, p_param_values) AS u (key, value);
    INSERT INTO logged_model_tags (tenant_no, model_id, key, value)
    SELECT p_tenant_no, p_model_id, u.key, u.value
    FROM unnest(p_tag_keys, p_tag_values) AS u (key, value);
    PERFORM tell(event_ids, topics, types, keys, versions, payloads,
                 p_tenant, p_tenant_no, p_subject, p_traceparent);
    RETURN jsonb_build_object('made', made);
END $$;

-- Experiments, runs and what is logged into runs.
--
-- All are tenant tables: tenant_no leads every key and foreign key, and row level security is
-- forced on each. `workspace_id` stands where a row is found by an id that a caller sends.
-- Values that come in as an id but stay inside (run_no, key_no, context_no) are short numbers,
-- because they are repeated in every metric point. Text is compared by its bytes ("C"), so that
-- an order does not depend on where the database was made.

-- The last experiment id each tenant has given; "0" is its `Default`, made on first use.
CREATE TABLE experiment_counters (
    tenant_no int4 NOT NULL PRIMARY KEY,
    last_id   int4 NOT NULL
);

CREATE TABLE experiments (
    tenant_no         int4 NOT NULL,
    experiment_id     int4 NOT NULL,
    workspace_id      int4 NOT NULL,
    version           int4 NOT NULL DEFAULT 1,
    name              text COLLATE "C" NOT NULL,
    artifact_location text NOT NULL,
    lifecycle_stage   text NOT NULL DEFAULT 'active'
                      CHECK (lifecycle_stage IN ('active', 'deleted')),
    creation_time     int8 NOT NULL,
    last_update_time  int8 NOT NULL,
    created_by        text NOT NULL,
    PRIMARY KEY (tenant_no, experiment_id),
    UNIQUE (tenant_no, workspace_id, name)
);
CREATE INDEX experiments_newest
    ON experiments (tenant_no, workspace_id, creation_time DESC, experiment_id);

CREATE TABLE experiment_tags (
    tenant_no     int4 NOT NULL,
    experiment_id int4 NOT NULL,
    key           text COLLATE "C" NOT NULL,
    value         text COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant_no, experiment_id, key),
    FOREIGN KEY (tenant_no, experiment_id) REFERENCES experiments ON DELETE CASCADE
);

-- user_id is the client's word and is kept as such; created_by is who the principal named.
CREATE TABLE runs (
    tenant_no       int4 NOT NULL,
    experiment_id   int4 NOT NULL,
    run_no          int8 NOT NULL GENERATED ALWAYS AS IDENTITY,
    run_id          uuid NOT NULL,
    workspace_id    int4 NOT NULL,
    version         int4 NOT NULL DEFAULT 1,
    start_time      int8 NOT NULL,
    end_time        int8,
    deleted_time    int8,
    status          text COLLATE "C" NOT NULL
                    CHECK (status IN ('RUNNING', 'SCHEDULED', 'FINISHED', 'FAILED', 'KILLED')),
    lifecycle_stage text NOT NULL DEFAULT 'active'
                    CHECK (lifecycle_stage IN ('active', 'deleted')),
    name            text COLLATE "C" NOT NULL,
    user_id         text COLLATE "C" NOT NULL,
    artifact_uri    text COLLATE "C" NOT NULL,
    created_by      text NOT NULL,
    PRIMARY KEY (tenant_no, run_no),
    UNIQUE (tenant_no, run_id),
    FOREIGN KEY (tenant_no, experiment_id) REFERENCES experiments
) WITH (fillfactor = 85);
CREATE INDEX runs_newest ON runs (tenant_no, experiment_id, start_time DESC, run_id);

CREATE TABLE params (
    tenant_no int4 NOT NULL,
    run_no    int8 NOT NULL,
    key       text COLLATE "C" NOT NULL,
    value     text COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant_no, run_no, key),
    FOREIGN KEY (tenant_no, run_no) REFERENCES runs ON DELETE CASCADE
);

-- The commonest search is for the children of a run, so the tag that names the parent has an
-- index. Other tags are filtered behind their run: long values cannot stand in an index.
CREATE TABLE run_tags (
    tenant_no int4 NOT NULL,
    run_no    int8 NOT NULL,
    key       text COLLATE "C" NOT NULL,
    value     text COLLATE "C" NOT NULL,
    parent    text COLLATE "C" GENERATED ALWAYS AS
              (CASE WHEN key = 'mlflow.parentRunId' THEN left(value, 64) END) STORED,
    PRIMARY KEY (tenant_no, run_no, key),
    FOREIGN KEY (tenant_no, run_no) REFERENCES runs ON DELETE CASCADE
);
CREATE INDEX run_tags_parent ON run_tags (tenant_no, parent) WHERE parent IS NOT NULL;

CREATE TABLE metric_keys (
    tenant_no int4 NOT NULL,
    key_no    int4 NOT NULL GENERATED ALWAYS AS IDENTITY,
    key       text COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant_no, key_no),
    UNIQUE (tenant_no, key)
);

-- What a point may say besides its run: a logged model, a dataset, or both; '' where absent.
CREATE TABLE metric_contexts (
    tenant_no      int4 NOT NULL,
    context_no     int4 NOT NULL GENERATED ALWAYS AS IDENTITY,
    model_id       text COLLATE "C" NOT NULL,
    dataset_name   text COLLATE "C" NOT NULL,
    dataset_digest text COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant_no, context_no),
    UNIQUE (tenant_no, model_id, dataset_name, dataset_digest)
);

-- The points, 68 bytes each. No unique index, which would double a point: identical points are
-- merged when they are read. No foreign keys either: a lock on the run and on the key for every
-- point would cost more than the point, and the functions that insert have read both just before.
-- Not-a-number is stored as such, the infinities as the greatest and the least double.
CREATE TABLE metric_points (
    tenant_no  int4   NOT NULL,
    key_no     int4   NOT NULL,
    run_no     int8   NOT NULL,
    step       int8   NOT NULL,
    ts         int8   NOT NULL,
    value      float8 NOT NULL,
    context_no int4
);
CREATE INDEX metric_points_of_key ON metric_points (tenant_no, run_no, key_no);
CREATE INDEX metric_points_of_context ON metric_points (tenant_no, context_no)
    WHERE context_no IS NOT NULL;

-- The greatest (step, ts, value) of each run and key, where not-a-number counts as 0.
CREATE TABLE latest_metrics (
    tenant_no int4   NOT NULL,
    key_no    int4   NOT NULL,
    run_no    int8   NOT NULL,
    step      int8   NOT NULL,
    ts        int8   NOT NULL,
    value     float8 NOT NULL,
    PRIMARY KEY (tenant_no, run_no, key_no),
    FOREIGN KEY (tenant_no, run_no) REFERENCES runs ON DELETE CASCADE
) WITH (fillfactor = 70);

CREATE TABLE datasets (
    tenant_no     int4 NOT NULL,
    dataset_no    int8 NOT NULL GENERATED ALWAYS AS IDENTITY,
    experiment_id int4 NOT NULL,
    name          text COLLATE "C" NOT NULL,
    digest        text COLLATE "C" NOT NULL,
    source_type   text COLLATE "C" NOT NULL,
    source        text NOT NULL,
    schema        text NOT NULL DEFAULT '',
    profile       text NOT NULL DEFAULT '',
    PRIMARY KEY (tenant_no, dataset_no),
    UNIQUE (tenant_no, experiment_id, name, digest),
    FOREIGN KEY (tenant_no, experiment_id) REFERENCES experiments
);

CREATE TABLE inputs (
    tenant_no  int4 NOT NULL,
    run_no     int8 NOT NULL,
    dataset_no int8 NOT NULL,
    PRIMARY KEY (tenant_no, run_no, dataset_no),
    FOREIGN KEY (tenant_no, run_no) REFERENCES runs ON DELETE CASCADE,
    FOREIGN KEY (tenant_no, dataset_no) REFERENCES datasets
);
CREATE INDEX inputs_of_dataset ON inputs (tenant_no, dataset_no);

CREATE TABLE input_tags (
    tenant_no  int4 NOT NULL,
    run_no     int8 NOT NULL,
    dataset_no int8 NOT NULL,
    key        text COLLATE "C" NOT NULL,
    value      text COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant_no, run_no, dataset_no, key),
    FOREIGN KEY (tenant_no, run_no, dataset_no) REFERENCES inputs ON DELETE CASCADE
);

-- Logged models that a run used or made; `step` is told of made ones only.
CREATE TABLE run_models (
    tenant_no int4 NOT NULL,
    run_no    int8 NOT NULL,
    direction text NOT NULL CHECK (direction IN ('input', 'output')),
    model_id  text COLLATE "C" NOT NULL,
    step      int8 NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_no, run_no, direction, model_id),
    FOREIGN KEY (tenant_no, run_no) REFERENCES runs ON DELETE CASCADE
);
CREATE INDEX run_models_of_model ON run_models (tenant_no, model_id);

ALTER TABLE experiment_counters ENABLE ROW LEVEL SECURITY;
ALTER TABLE experiment_counters FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON experiment_counters
    USING (tenant_no = nullif(current_setting('app.tenant', true), '')::int4)
    WITH CHECK (tenant_no = nullif(current_setting('app.tenant', true), '')::int4);

ALTER TABLE experiments ENABLE ROW LEVEL SECURITY;
ALTER TABLE experiments FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON experiments
    USING (tenant_no = nullif(current_setting('app.tenant', true), '')::int4)
    WITH CHECK (tenant_no = nullif(current_setting('app.tenant', true), '')::int4);

ALTER TABLE experiment_tags ENABLE ROW LEVEL SECURITY;
ALTER TABLE experiment_tags FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON experiment_tags
    USING (tenant_no = nullif(current_setting('app.tenant', true), '')::int4)
    WITH CHECK (tenant_no = nullif(current_setting('app.tenant', true), '')::int4);

ALTER TABLE runs ENABLE ROW LEVEL SECURITY;
ALTER TABLE runs FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON runs
    USING (tenant_no = nullif(current_setting('app.tenant', true), '')::int4)
    WITH CHECK (tenant_no = nullif(current_setting('app.tenant', true), '')::int4);

ALTER TABLE params ENABLE ROW LEVEL SECURITY;
ALTER TABLE params FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON params
    USING (tenant_no = nullif(current_setting('app.tenant', true), '')::int4)
    WITH CHECK (tenant_no = nullif(current_setting('app.tenant', true), '')::int4);

ALTER TABLE run_tags ENABLE ROW LEVEL SECURITY;
ALTER TABLE run_tags FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON run_tags
    USING (tenant_no = nullif(current_setting('app.tenant', true), '')::int4)
    WITH CHECK (tenant_no = nullif(current_setting('app.tenant', true), '')::int4);

ALTER TABLE metric_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE metric_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON metric_keys
    USING (tenant_no = nullif(current_setting('app.tenant', true), '')::int4)
    WITH CHECK (tenant_no = nullif(current_setting('app.tenant', true), '')::int4);

ALTER TABLE metric_contexts ENABLE ROW LEVEL SECURITY;
ALTER TABLE metric_contexts FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON metric_contexts
    USING (tenant_no = nullif(current_setting('app.tenant', true), '')::int4)
    WITH CHECK (tenant_no = nullif(current_setting('app.tenant', true), '')::int4);

ALTER TABLE metric_points ENABLE ROW LEVEL SECURITY;
ALTER TABLE metric_points FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON metric_points
    USING (tenant_no = nullif(current_setting('app.tenant', true), '')::int4)
    WITH CHECK (tenant_no = nullif(current_setting('app.tenant', true), '')::int4);

ALTER TABLE latest_metrics ENABLE ROW LEVEL SECURITY;
ALTER TABLE latest_metrics FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON latest_metrics
    USING (tenant_no = nullif(current_setting('app.tenant', true), '')::int4)
    WITH CHECK (tenant_no = nullif(current_setting('app.tenant', true), '')::int4);

ALTER TABLE datasets ENABLE ROW LEVEL SECURITY;
ALTER TABLE datasets FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON datasets
    USING (tenant_no = nullif(current_setting('app.tenant', true), '')::int4)
    WITH CHECK (tenant_no = nullif(current_setting('app.tenant', true), '')::int4);

ALTER TABLE inputs ENABLE ROW LEVEL SECURITY;
ALTER TABLE inputs FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON inputs
    USING (tenant_no = nullif(current_setting('app.tenant', true), '')::int4)
    WITH CHECK (tenant_no = nullif(current_setting('app.tenant', true), '')::int4);

ALTER TABLE input_tags ENABLE ROW LEVEL SECURITY;
ALTER TABLE input_tags FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON input_tags
    USING (tenant_no = nullif(current_setting('app.tenant', true), '')::int4)
    WITH CHECK (tenant_no = nullif(current_setting('app.tenant', true), '')::int4);

ALTER TABLE run_models ENABLE ROW LEVEL SECURITY;
ALTER TABLE run_models FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON run_models
    USING (tenant_no = nullif(current_setting('app.tenant', true), '')::int4)
    WITH CHECK (tenant_no = nullif(current_setting('app.tenant', true), '')::int4);

-- No DELETE where nothing is ever deleted: runs and experiments are put aside, points are kept.
GRANT SELECT, INSERT, UPDATE ON experiment_counters, experiments, runs, latest_metrics
    TO tracking_app;
GRANT SELECT, INSERT ON params, metric_keys, metric_contexts, metric_points, datasets, inputs,
    input_tags TO tracking_app;
GRANT SELECT, INSERT, UPDATE ON run_models TO tracking_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON experiment_tags, run_tags TO tracking_app;

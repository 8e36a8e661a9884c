-- Registered models, their versions, tags and aliases.
-- Times are milliseconds since 1970 of the database's clock. `version` counts an aggregate's
-- changes; what MLflow calls a model version's version is its `number`.

CREATE TABLE registered_models (
    tenant_no    int4   NOT NULL,
    model_no     bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    workspace_id int4   NOT NULL,
    name         text   COLLATE "C" NOT NULL,
    description  text,
    created_at   bigint NOT NULL,
    updated_at   bigint NOT NULL,
    -- The greatest number given out so far: deleted versions' numbers are not used again.
    last_number  int4   NOT NULL DEFAULT 0,
    version      bigint NOT NULL,
    -- No aggregate that ever had this name passed this count; what is new under it starts above.
    floor        bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_no, model_no),
    UNIQUE (tenant_no, workspace_id, name)
);

-- Names that were deleted or renamed away, with the greatest version told of them: facts of a
-- new model under such a name must not look older than those of the former.
CREATE TABLE retired_names (
    tenant_no    int4   NOT NULL,
    workspace_id int4   NOT NULL,
    name         text   COLLATE "C" NOT NULL,
    version      bigint NOT NULL,
    PRIMARY KEY (tenant_no, workspace_id, name)
);

CREATE TABLE registered_model_tags (
    tenant_no int4   NOT NULL,
    model_no  bigint NOT NULL,
    key       text   COLLATE "C" NOT NULL,
    value     text   COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant_no, model_no, key),
    FOREIGN KEY (tenant_no, model_no) REFERENCES registered_models ON DELETE CASCADE
);
CREATE INDEX registered_model_tags_key ON registered_model_tags (tenant_no, key);

CREATE TABLE model_versions (
    tenant_no        int4   NOT NULL,
    model_no         bigint NOT NULL,
    number           int4   NOT NULL,
    workspace_id     int4   NOT NULL,
    stage            text   NOT NULL DEFAULT 'None'
                     CHECK (stage IN ('None', 'Staging', 'Production', 'Archived')),
    description      text,
    source           text   COLLATE "C" NOT NULL,
    -- Where its files lie: the source, or what a models:/ source stood for when it was given.
    storage_location text   NOT NULL,
    run_id           text   COLLATE "C" NOT NULL DEFAULT '',
    logged_model_id  text   COLLATE "C" NOT NULL DEFAULT '',
    run_link         text   NOT NULL DEFAULT '',
    created_at       bigint NOT NULL,
    updated_at       bigint NOT NULL,
    version          bigint NOT NULL,
    PRIMARY KEY (tenant_no, model_no, number),
    FOREIGN KEY (tenant_no, model_no) REFERENCES registered_models ON DELETE CASCADE
);
CREATE INDEX model_versions_run ON model_versions (tenant_no, run_id) WHERE run_id <> '';
CREATE INDEX model_versions_updated ON model_versions (tenant_no, workspace_id, updated_at);

CREATE TABLE model_version_tags (
    tenant_no int4   NOT NULL,
    model_no  bigint NOT NULL,
    number    int4   NOT NULL,
    key       text   COLLATE "C" NOT NULL,
    value     text   COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant_no, model_no, number, key),
    FOREIGN KEY (tenant_no, model_no, number) REFERENCES model_versions ON DELETE CASCADE
);
CREATE INDEX model_version_tags_key ON model_version_tags (tenant_no, key);

CREATE TABLE registered_model_aliases (
    tenant_no int4   NOT NULL,
    model_no  bigint NOT NULL,
    alias     text   COLLATE "C" NOT NULL,
    number    int4   NOT NULL,
    PRIMARY KEY (tenant_no, model_no, alias),
    FOREIGN KEY (tenant_no, model_no, number) REFERENCES model_versions ON DELETE CASCADE
);
CREATE INDEX registered_model_aliases_version
    ON registered_model_aliases (tenant_no, model_no, number);

ALTER TABLE registered_models ENABLE ROW LEVEL SECURITY;
ALTER TABLE registered_models FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON registered_models
    USING (tenant_no = nullif(current_setting('app.tenant', true), '')::int4)
    WITH CHECK (tenant_no = nullif(current_setting('app.tenant', true), '')::int4);

ALTER TABLE retired_names ENABLE ROW LEVEL SECURITY;
ALTER TABLE retired_names FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON retired_names
    USING (tenant_no = nullif(current_setting('app.tenant', true), '')::int4)
    WITH CHECK (tenant_no = nullif(current_setting('app.tenant', true), '')::int4);

ALTER TABLE registered_model_tags ENABLE ROW LEVEL SECURITY;
ALTER TABLE registered_model_tags FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON registered_model_tags
    USING (tenant_no = nullif(current_setting('app.tenant', true), '')::int4)
    WITH CHECK (tenant_no = nullif(current_setting('app.tenant', true), '')::int4);

ALTER TABLE model_versions ENABLE ROW LEVEL SECURITY;
ALTER TABLE model_versions FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON model_versions
    USING (tenant_no = nullif(current_setting('app.tenant', true), '')::int4)
    WITH CHECK (tenant_no = nullif(current_setting('app.tenant', true), '')::int4);

ALTER TABLE model_version_tags ENABLE ROW LEVEL SECURITY;
ALTER TABLE model_version_tags FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON model_version_tags
    USING (tenant_no = nullif(current_setting('app.tenant', true), '')::int4)
    WITH CHECK (tenant_no = nullif(current_setting('app.tenant', true), '')::int4);

ALTER TABLE registered_model_aliases ENABLE ROW LEVEL SECURITY;
ALTER TABLE registered_model_aliases FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON registered_model_aliases
    USING (tenant_no = nullif(current_setting('app.tenant', true), '')::int4)
    WITH CHECK (tenant_no = nullif(current_setting('app.tenant', true), '')::int4);

GRANT SELECT, INSERT, UPDATE, DELETE ON registered_models, retired_names, registered_model_tags,
    model_versions, model_version_tags, registered_model_aliases TO registry_app;

-- Runs and logged models of tracking that may be removed: no version is made of them any more.
--
-- A row stays when its source is gone, so that a late fact cannot make it a source again. `version`
-- is that of the condemnation; a source that is brought back has a greater one, and no row.

CREATE TABLE condemned_sources (
    tenant_no int4   NOT NULL,
    source    text   COLLATE "C" NOT NULL,
    version   bigint NOT NULL,
    PRIMARY KEY (tenant_no, source)
);

ALTER TABLE condemned_sources ENABLE ROW LEVEL SECURITY;
ALTER TABLE condemned_sources FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON condemned_sources
    USING (tenant_no = nullif(current_setting('app.tenant', true), '')::int4)
    WITH CHECK (tenant_no = nullif(current_setting('app.tenant', true), '')::int4);

GRANT SELECT, INSERT, UPDATE, DELETE ON condemned_sources TO registry_app;

CREATE INDEX model_versions_logged_model ON model_versions (tenant_no, logged_model_id)
    WHERE logged_model_id <> '';

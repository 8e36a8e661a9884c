-- What the shelf service owns: things that can be created and changed.
CREATE TABLE things (
    tenant_no int4   NOT NULL,
    thing     text   NOT NULL,
    word      text   NOT NULL,
    version   bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (tenant_no, thing)
);
ALTER TABLE things ENABLE ROW LEVEL SECURITY;
ALTER TABLE things FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON things
    USING (tenant_no = nullif(current_setting('app.tenant', true), '')::int4)
    WITH CHECK (tenant_no = nullif(current_setting('app.tenant', true), '')::int4);
GRANT SELECT, INSERT, UPDATE, DELETE ON things TO shelf_app;

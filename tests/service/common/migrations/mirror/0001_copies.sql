-- What the mirror service keeps of the shelf's facts: a read model, and a line for each effect.
CREATE TABLE copies (
    tenant_no int4   NOT NULL,
    thing     text   NOT NULL,
    word      text   NOT NULL,
    version   bigint NOT NULL,
    PRIMARY KEY (tenant_no, thing)
);
CREATE TABLE effects (
    tenant_no int4   NOT NULL,
    line      bigint GENERATED ALWAYS AS IDENTITY,
    thing     text   NOT NULL,
    word      text   NOT NULL,
    version   bigint NOT NULL,
    event_id  uuid   NOT NULL,
    PRIMARY KEY (tenant_no, line)
);
ALTER TABLE copies ENABLE ROW LEVEL SECURITY;
ALTER TABLE copies FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON copies
    USING (tenant_no = nullif(current_setting('app.tenant', true), '')::int4)
    WITH CHECK (tenant_no = nullif(current_setting('app.tenant', true), '')::int4);
ALTER TABLE effects ENABLE ROW LEVEL SECURITY;
ALTER TABLE effects FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON effects
    USING (tenant_no = nullif(current_setting('app.tenant', true), '')::int4)
    WITH CHECK (tenant_no = nullif(current_setting('app.tenant', true), '')::int4);
GRANT SELECT, INSERT, UPDATE, DELETE ON copies, effects TO mirror_app;

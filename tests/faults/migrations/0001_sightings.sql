-- Every fact that had an effect, one line each time it had: nothing here would hide a second one.
CREATE TABLE sightings (
    tenant_no int4   NOT NULL,
    line      bigint GENERATED ALWAYS AS IDENTITY,
    event_id  uuid   NOT NULL,
    topic     text   NOT NULL,
    key       text   NOT NULL,
    version   bigint NOT NULL,
    PRIMARY KEY (tenant_no, line)
);
ALTER TABLE sightings ENABLE ROW LEVEL SECURITY;
ALTER TABLE sightings FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON sightings
    USING (tenant_no = nullif(current_setting('app.tenant', true), '')::int4)
    WITH CHECK (tenant_no = nullif(current_setting('app.tenant', true), '')::int4);
GRANT SELECT, INSERT ON sightings TO witness_app;

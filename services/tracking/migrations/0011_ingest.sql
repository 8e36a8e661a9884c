-- Credentials that ended before their time: the passes that producers were given with them are good
-- for nothing any more. `actor` is the credential's name in principals, as in part_uploads.
CREATE TABLE ended_credentials (
    tenant_no int4 NOT NULL,
    actor     text COLLATE "C" NOT NULL,
    ends_at   timestamptz NOT NULL,
    PRIMARY KEY (tenant_no, actor)
);

ALTER TABLE ended_credentials ENABLE ROW LEVEL SECURITY;
ALTER TABLE ended_credentials FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON ended_credentials
    USING (tenant_no = nullif(current_setting('app.tenant', true), '')::int4)
    WITH CHECK (tenant_no = nullif(current_setting('app.tenant', true), '')::int4);

GRANT SELECT, INSERT, UPDATE, DELETE ON ended_credentials TO tracking_app;

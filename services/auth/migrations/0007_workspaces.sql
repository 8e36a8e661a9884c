-- Workspaces of a tenant. Numbers are given once and never again, as they stand in the tables of
-- other services; number 1 is the tenant's `default`, which cannot be deleted.

ALTER TABLE tenants ADD COLUMN last_workspace_id int4 NOT NULL DEFAULT 1;

-- A deleted workspace stays as a row: its name is free, its number is not. `cleared_by` are the
-- services in which nothing of a deleted one is left.
CREATE TABLE workspaces (
    tenant_no    int4 NOT NULL REFERENCES tenants,
    workspace_id int4 NOT NULL,
    name         text COLLATE "C" NOT NULL
                 CHECK (name ~ '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$' AND length(name) BETWEEN 2 AND 63),
    description  text CHECK (length(description) <= 10000),
    status       text NOT NULL DEFAULT 'active'
                 CHECK (status IN ('active', 'deleting', 'deleted')),
    cleared_by   text[] NOT NULL DEFAULT '{}',
    version      int4 NOT NULL DEFAULT 1,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_no, workspace_id),
    CHECK ((workspace_id = 1) = (name = 'default')),
    CHECK (workspace_id <> 1 OR status = 'active')
);
CREATE UNIQUE INDEX workspaces_name ON workspaces (tenant_no, name) WHERE status = 'active';

-- For tenants that are there already; before row level security, which walls the owner as well.
INSERT INTO workspaces (tenant_no, workspace_id, name) SELECT tenant_no, 1, 'default' FROM tenants;

ALTER TABLE workspaces ENABLE ROW LEVEL SECURITY;
ALTER TABLE workspaces FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON workspaces
    USING (tenant_no = nullif(current_setting('app.tenant', true), '')::int4)
    WITH CHECK (tenant_no = nullif(current_setting('app.tenant', true), '')::int4);

GRANT SELECT, INSERT, UPDATE ON workspaces TO auth_app;

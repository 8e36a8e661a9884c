-- Workspaces that are being deleted.

-- platform: which workspaces are being cleared, for a worker that walks over all tenants.
CREATE TABLE leaving_workspaces (
    tenant_no    int4 NOT NULL,
    workspace_id int4 NOT NULL CHECK (workspace_id <> 1),
    tenant       uuid NOT NULL,
    name         text NOT NULL,
    mode         text NOT NULL,
    subject      text NOT NULL,
    version      int8 NOT NULL,
    swept_at     timestamptz,
    PRIMARY KEY (tenant_no, workspace_id)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON leaving_workspaces TO registry_app;

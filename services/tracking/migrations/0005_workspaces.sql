-- Workspaces that are being deleted, and what finds the resources of one among all of a tenant's.

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
GRANT SELECT, INSERT, UPDATE, DELETE ON leaving_workspaces TO tracking_app;

-- Runs and models of the default workspace, which are most, cost nothing in these.
CREATE INDEX runs_of_workspace ON runs (tenant_no, workspace_id, run_no)
    WHERE workspace_id <> 1;
CREATE INDEX logged_models_of_workspace ON logged_models (tenant_no, workspace_id, model_id)
    WHERE workspace_id <> 1;

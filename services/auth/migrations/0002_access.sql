-- Who may do what: custom roles, grants on resources, and the version of each member's access.
--
-- All are tenant tables, walled like those of 0001. What a member may do is its role, which counts
-- for the whole tenant, and its grants; each change of either raises access_version, which
-- principals carry, so that whoever decides by an older version knows that it must ask again.

-- A service account is a user that belongs to one tenant and signs in with tokens only.
ALTER TABLE users
    ADD COLUMN kind text NOT NULL DEFAULT 'person' CHECK (kind IN ('person', 'service')),
    ADD COLUMN display_name text NOT NULL DEFAULT '';

-- Without a role a member has its grants alone. A removed member's row stays, so that a member who
-- comes back does not begin at an older version.
ALTER TABLE memberships
    ALTER COLUMN role DROP NOT NULL,
    ADD COLUMN access_version int8 NOT NULL DEFAULT 1,
    DROP CONSTRAINT memberships_status_check,
    ADD CONSTRAINT memberships_status_check CHECK (status IN ('active', 'suspended', 'removed'));

CREATE TABLE roles (
    tenant_no   int4 NOT NULL REFERENCES tenants,
    name        text COLLATE "C" NOT NULL CHECK (name ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    description text NOT NULL DEFAULT '',
    permissions text[] NOT NULL,
    version     int4 NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_no, name)
);

-- A role or single permissions, allowed or denied to a member on some resources. `pattern` is a
-- name, a prefix that ends in `*`, or `*`.
CREATE TABLE grants (
    tenant_no    int4 NOT NULL,
    grant_id     uuid NOT NULL,
    user_id      uuid NOT NULL,
    effect       text NOT NULL CHECK (effect IN ('allow', 'deny')),
    role         text COLLATE "C",
    permissions  text[] NOT NULL DEFAULT '{}',
    kind         text NOT NULL CHECK (kind IN ('tenant', 'workspace', 'experiment', 'model')),
    workspace_id int4 NOT NULL DEFAULT 0,
    pattern      text COLLATE "C" NOT NULL DEFAULT '*' CHECK (length(pattern) BETWEEN 1 AND 500),
    reason       text NOT NULL DEFAULT '' CHECK (length(reason) <= 1000),
    granted_by   text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    PRIMARY KEY (tenant_no, grant_id),
    FOREIGN KEY (tenant_no, user_id) REFERENCES memberships,
    CHECK ((role IS NULL) <> (permissions = '{}')),
    CHECK ((kind = 'tenant') = (workspace_id = 0)),
    CHECK (kind IN ('experiment', 'model') OR pattern = '*')
);
CREATE INDEX grants_of_user ON grants (tenant_no, user_id);
CREATE INDEX grants_of_role ON grants (tenant_no, role) WHERE role IS NOT NULL;

ALTER TABLE roles ENABLE ROW LEVEL SECURITY;
ALTER TABLE roles FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON roles
    USING (tenant_no = nullif(current_setting('app.tenant', true), '')::int4)
    WITH CHECK (tenant_no = nullif(current_setting('app.tenant', true), '')::int4);

ALTER TABLE grants ENABLE ROW LEVEL SECURITY;
ALTER TABLE grants FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON grants
    USING (tenant_no = nullif(current_setting('app.tenant', true), '')::int4)
    WITH CHECK (tenant_no = nullif(current_setting('app.tenant', true), '')::int4);

GRANT SELECT, INSERT, UPDATE, DELETE ON roles, grants TO auth_app;

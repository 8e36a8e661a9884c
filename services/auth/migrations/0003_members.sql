-- Members come by invitation, tenants by the platform operator, who is a member of none.

-- The first tenant, the only one there was until now, is the installation's own: nothing limits it.
UPDATE tenants SET plan = 'unlimited', version = version + 1;

-- lookup: an operator is no tenant's member, and the digest of its token is all that is known of it.
CREATE TABLE operators (
    operator_id  uuid PRIMARY KEY,
    digest       bytea NOT NULL UNIQUE CHECK (length(digest) = 32),
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz
);

-- An offer to become a member, for whoever shows its code (see invitation_codes). `tries` counts
-- the passwords that came with it.
CREATE TABLE invitations (
    tenant_no     int4 NOT NULL REFERENCES tenants,
    invitation_id uuid NOT NULL,
    login         text NOT NULL CHECK (length(login) BETWEEN 1 AND 255),
    role          text COLLATE "C",
    made_by       text NOT NULL,
    tries      int4 NOT NULL DEFAULT 0,
    version       int4 NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz NOT NULL,
    accepted_at   timestamptz,
    revoked_at    timestamptz,
    PRIMARY KEY (tenant_no, invitation_id)
);
CREATE INDEX invitations_of_login ON invitations (tenant_no, login);

-- lookup: found by the code that is presented, before the tenant is known. Holds no code.
CREATE TABLE invitation_codes (
    digest        bytea PRIMARY KEY CHECK (length(digest) = 32),
    tenant_no     int4 NOT NULL,
    invitation_id uuid NOT NULL,
    FOREIGN KEY (tenant_no, invitation_id) REFERENCES invitations ON DELETE CASCADE
);

ALTER TABLE invitations ENABLE ROW LEVEL SECURITY;
ALTER TABLE invitations FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON invitations
    USING (tenant_no = nullif(current_setting('app.tenant', true), '')::int4)
    WITH CHECK (tenant_no = nullif(current_setting('app.tenant', true), '')::int4);

GRANT SELECT, INSERT, UPDATE ON operators, invitations TO auth_app;
GRANT SELECT, INSERT ON invitation_codes TO auth_app;

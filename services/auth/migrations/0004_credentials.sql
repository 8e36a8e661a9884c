-- What one signs in with: passwords, and tokens that all end, from some networks only if wanted.
--
-- users stays a platform table; the new lookup table says in which tenants a person is a member, as
-- a login without a tenant is all that is known when it is asked.

-- password_hash is argon2id in its own text form. Each new password counts password_version up;
-- principals name the version that they were given for, so that those of an older one end.
ALTER TABLE users
    ADD COLUMN password_hash text,
    ADD COLUMN password_version int4 NOT NULL DEFAULT 0;

-- networks: where a token may be used from, everywhere when empty. rotated_from: the token that this
-- one took the place of. issued_by: the token that it was made with, with which it is revoked; none
-- where it was made signed in with a password. bound: it ends no later than that one, its successors
-- too.
ALTER TABLE tokens
    ADD COLUMN networks cidr[] NOT NULL DEFAULT '{}',
    ADD COLUMN rotated_from uuid,
    ADD COLUMN issued_by uuid,
    ADD COLUMN bound boolean NOT NULL DEFAULT false;
CREATE INDEX tokens_by_issuer ON tokens (tenant_no, issued_by) WHERE issued_by IS NOT NULL;

-- lookup: found by a person who shows a password, before the tenant is known. Removed members are
-- not in it.
CREATE TABLE member_tenants (
    user_id   uuid NOT NULL,
    tenant_no int4 NOT NULL,
    PRIMARY KEY (user_id, tenant_no)
);

-- Kept by a trigger, so that it is right whichever command writes memberships.
CREATE FUNCTION note_member_tenant() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
BEGIN
    IF NEW.status = 'removed' THEN
        DELETE FROM member_tenants WHERE user_id = NEW.user_id AND tenant_no = NEW.tenant_no;
    ELSE
        INSERT INTO member_tenants (user_id, tenant_no) VALUES (NEW.user_id, NEW.tenant_no)
        ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER note_member_tenant AFTER INSERT OR UPDATE OF status ON memberships
    FOR EACH ROW EXECUTE FUNCTION note_member_tenant();

-- Row level security is forced, so what is there is walked tenant by tenant. A token that had no end
-- ends in a year.
DO $$
DECLARE
    number int4;
BEGIN
    FOR number IN SELECT tenant_no FROM tenants LOOP
        PERFORM set_config('app.tenant', number::text, true);
        UPDATE tokens SET expires_at = now() + interval '366 days' WHERE expires_at IS NULL;
        INSERT INTO member_tenants (user_id, tenant_no)
        SELECT user_id, tenant_no FROM memberships WHERE status <> 'removed';
    END LOOP;
    PERFORM set_config('app.tenant', '', true);
END $$;
ALTER TABLE tokens ALTER COLUMN expires_at SET NOT NULL;

GRANT SELECT, INSERT, DELETE ON member_tenants TO auth_app;

-- Signing in on the web pages: a session, and a link to begin one with, are tokens of another kind.
-- They end with what made them, are listed and revoked like any token, and expire soon.

-- password_version: that of the password they began with; they end with the next one.
ALTER TABLE tokens
    ADD COLUMN kind text NOT NULL DEFAULT 'token' CHECK (kind IN ('token', 'session', 'link')),
    ADD COLUMN password_version int4;
CREATE INDEX tokens_begun_by_password ON tokens (tenant_no, user_id, password_version)
    WHERE password_version IS NOT NULL;

-- What ended lately, in numbers, and the pulse that says whether the broadcast of it arrives.
--
-- Both are platform tables: gateways ask for what ended in all tenants, before they know any.

-- platform: a gateway that is cut off from the broker reads here what the broadcast would have told.
-- Numbers are not in the order of commits, so readers go back a while (see queries/revocations.py).
CREATE TABLE revocations (
    seq       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    tenant_no int4 NOT NULL,
    kind      text NOT NULL CHECK (kind IN ('token', 'subject', 'tenant', 'workspace')),
    id        text NOT NULL,
    version   int8 NOT NULL DEFAULT 0,
    -- Whether the subject may still do anything, so that a suspended one is told from a changed one.
    active    boolean NOT NULL DEFAULT true
);
CREATE INDEX revocations_by_time ON revocations (at);

-- platform: one row, which the process that tells the next heartbeat counts up.
CREATE TABLE heartbeat (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    number   int8 NOT NULL DEFAULT 0,
    told_at  timestamptz NOT NULL DEFAULT '-infinity'
);
INSERT INTO heartbeat DEFAULT VALUES;

GRANT SELECT, INSERT, DELETE ON revocations TO auth_app;
GRANT SELECT, UPDATE ON heartbeat TO auth_app;

-- Roles that come back and grants that last longer are told in the order in which it happened.

-- A role's row stays when it is deleted, so that one defined again under its name does not begin
-- at an older version.
ALTER TABLE roles ADD COLUMN deleted_at timestamptz;

ALTER TABLE grants ADD COLUMN version int4 NOT NULL DEFAULT 1;

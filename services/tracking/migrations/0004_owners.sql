-- Whom an experiment belongs to: a principal's subject, who may do everything with it. It is written
-- with the experiment and can be given away; `Default` belongs to nobody, which is ''.
ALTER TABLE experiments ADD COLUMN owner text COLLATE "C" NOT NULL DEFAULT '';
-- What somebody owns is found without looking at everything; names have their unique index.
CREATE INDEX experiments_of_owner ON experiments (tenant_no, workspace_id, owner);

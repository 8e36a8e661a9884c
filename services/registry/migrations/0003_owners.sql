-- Who owns a registered model: the subject that registered it, or was given it since. '' is nobody,
-- as of models that were there before owners were kept.
ALTER TABLE registered_models ADD COLUMN owner text COLLATE "C" NOT NULL DEFAULT '';

"""Models and versions as they stand, in pages by id, for telling them again."""

from typing import Final

REGISTERED_MODELS: Final = """
SELECT m.model_no::text AS id, m.model_no, m.workspace_id, m.name, m.description, m.version, m.floor,
       m.owner,
       (SELECT json_object_agg(t.key, t.value) FROM registered_model_tags t
        WHERE t.tenant_no = m.tenant_no AND t.model_no = m.model_no)::text AS tags,
       (SELECT json_object_agg(a.alias, a.number) FROM registered_model_aliases a
        WHERE a.tenant_no = m.tenant_no AND a.model_no = m.model_no)::text AS aliases
FROM registered_models m
WHERE m.tenant_no = $1 AND m.model_no > coalesce(nullif($2::text, '')::bigint, 0)
ORDER BY m.model_no LIMIT $3
"""
MODEL_VERSIONS: Final = """
SELECT v.model_no || '/' || v.number AS id, v.model_no, v.workspace_id, m.name, v.number, v.stage,
       v.description, v.source, v.storage_location, v.run_id, v.logged_model_id, v.version,
       (SELECT json_object_agg(t.key, t.value) FROM model_version_tags t
        WHERE t.tenant_no = v.tenant_no AND t.model_no = v.model_no AND t.number = v.number)::text
       AS tags
FROM model_versions v JOIN registered_models m USING (tenant_no, model_no)
WHERE v.tenant_no = $1
  AND (v.model_no, v.number) > (coalesce(nullif(split_part($2::text, '/', 1), '')::bigint, 0),
                                coalesce(nullif(split_part($2::text, '/', 2), '')::int4, 0))
ORDER BY v.model_no, v.number LIMIT $3
"""

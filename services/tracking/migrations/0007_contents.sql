-- Artifacts as rows: which path holds which content, and in which object of the store its bytes lie.
--
-- A content is stored once for each tenant, however many paths hold it. Rows come and go by INSERT
-- and DELETE alone: two triggers count a content's references and a tenant's bytes, so nobody else
-- has to. Locks are taken in one order: the paths of a run or model, contents by their number, what
-- is not used, what the tenant uses.

CREATE TABLE contents (
    tenant_no  int4 NOT NULL,
    content_no int8 NOT NULL GENERATED ALWAYS AS IDENTITY,
    sha256     bytea NOT NULL CHECK (octet_length(sha256) = 32),
    size       int8 NOT NULL CHECK (size >= 0),
    object_key text COLLATE "C" NOT NULL,
    refs       int8 NOT NULL DEFAULT 0 CHECK (refs >= 0),
    PRIMARY KEY (tenant_no, content_no),
    UNIQUE (tenant_no, sha256, size)
) WITH (fillfactor = 85);

CREATE TABLE artifacts (
    tenant_no    int4 NOT NULL,
    workspace_id int4 NOT NULL,
    path         text COLLATE "C" NOT NULL CHECK (path <> ''),
    content_no   int8 NOT NULL,
    size         int8 NOT NULL,
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_no, workspace_id, path),
    FOREIGN KEY (tenant_no, content_no) REFERENCES contents
);
-- Without it, each content that is freed would be looked for among all paths of its tenant. Not led by
-- the tenant, or the planner could read all that a tenant has by it for a listing; no number is two's.
CREATE INDEX artifacts_of_content ON artifacts (content_no);

-- An upload in parts, until it is complete and a day after; `subject`, `actor`, `scopes` and `epoch`
-- are those of the principal that began it. Who composes it says so until `composing_until`.
CREATE TABLE part_uploads (
    tenant_no       int4 NOT NULL,
    upload_id       uuid NOT NULL,
    tenant          uuid NOT NULL,
    workspace_id    int4 NOT NULL,
    path            text COLLATE "C" NOT NULL,
    subject         text NOT NULL,
    actor           text NOT NULL,
    scopes          text[] NOT NULL,
    epoch           int8 NOT NULL,
    begun_at        timestamptz NOT NULL DEFAULT now(),
    composing_until timestamptz,
    completed_at    timestamptz,
    PRIMARY KEY (tenant_no, upload_id)
);
CREATE INDEX part_uploads_of_actor ON part_uploads (tenant_no, actor);

CREATE TABLE parts (
    tenant_no   int4 NOT NULL,
    upload_id   uuid NOT NULL,
    part_number int4 NOT NULL CHECK (part_number BETWEEN 1 AND 10000),
    object_key  text COLLATE "C" NOT NULL,
    size        int8 NOT NULL,
    sha256      bytea NOT NULL,
    PRIMARY KEY (tenant_no, upload_id, part_number),
    FOREIGN KEY (tenant_no, upload_id) REFERENCES part_uploads ON DELETE CASCADE
);

-- platform: contents that no path held when the row was written, for a sweep over all tenants.
CREATE TABLE unused_contents (
    tenant_no  int4 NOT NULL,
    content_no int8 NOT NULL,
    since      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_no, content_no)
);
CREATE INDEX unused_contents_oldest ON unused_contents (since);

-- platform: objects that no content refers to, for a sweep over all tenants. A row is there before an
-- object's first byte and leaves with the content's row; one that `leaves` is to be removed, at once or, where
-- the store did not, from `since` on.
CREATE TABLE loose_objects (
    object_key text COLLATE "C" PRIMARY KEY,
    size       int8 NOT NULL DEFAULT 0, -- where it is known
    since      timestamptz NOT NULL DEFAULT now(),
    leaves     boolean NOT NULL DEFAULT false
);
CREATE INDEX loose_objects_leaving ON loose_objects (since) WHERE leaves;
CREATE INDEX loose_objects_oldest ON loose_objects (since);

CREATE FUNCTION artifacts_came() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM contents c
    WHERE (c.tenant_no, c.content_no) IN (SELECT n.tenant_no, n.content_no FROM came n)
    ORDER BY c.tenant_no, c.content_no FOR NO KEY UPDATE;
    UPDATE contents c SET refs = c.refs + n.refs
    FROM (SELECT tenant_no, content_no, count(*) AS refs FROM came GROUP BY 1, 2) n
    WHERE c.tenant_no = n.tenant_no AND c.content_no = n.content_no;
    INSERT INTO artifact_usage AS a (tenant_no, part, bytes)
    SELECT n.tenant_no, pg_backend_pid() % 64, sum(n.size) FROM came n GROUP BY 1
    ON CONFLICT (tenant_no, part) DO UPDATE SET bytes = a.bytes + excluded.bytes;
    RETURN NULL;
END $$;

CREATE FUNCTION artifacts_went() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM contents c
    WHERE (c.tenant_no, c.content_no) IN (SELECT o.tenant_no, o.content_no FROM went o)
    ORDER BY c.tenant_no, c.content_no FOR NO KEY UPDATE;
    WITH counted AS (
        UPDATE contents c SET refs = c.refs - o.refs
        FROM (SELECT tenant_no, content_no, count(*) AS refs FROM went GROUP BY 1, 2) o
        WHERE c.tenant_no = o.tenant_no AND c.content_no = o.content_no
        RETURNING c.tenant_no, c.content_no, c.refs
    )
    INSERT INTO unused_contents AS u (tenant_no, content_no)
    SELECT c.tenant_no, c.content_no FROM counted c WHERE c.refs = 0
    ORDER BY c.tenant_no, c.content_no
    ON CONFLICT (tenant_no, content_no) DO UPDATE SET since = now();
    INSERT INTO artifact_usage AS a (tenant_no, part, bytes)
    SELECT o.tenant_no, pg_backend_pid() % 64, -sum(o.size) FROM went o GROUP BY 1
    ON CONFLICT (tenant_no, part) DO UPDATE SET bytes = a.bytes + excluded.bytes;
    RETURN NULL;
END $$;

CREATE TRIGGER artifacts_came AFTER INSERT ON artifacts
    REFERENCING NEW TABLE AS came FOR EACH STATEMENT EXECUTE FUNCTION artifacts_came();
CREATE TRIGGER artifacts_went AFTER DELETE ON artifacts
    REFERENCING OLD TABLE AS went FOR EACH STATEMENT EXECUTE FUNCTION artifacts_went();

-- Has a path hold a content, in one round trip. `p_object_key` is the new object with its bytes; NULL
-- where they were not written yet, as the content may be there. `key` says in which object they lie
-- now, `added` by how many bytes the tenant's artifacts have grown; `why` says why nothing was done.
CREATE FUNCTION keep_artifact(
    p_tenant_no int4, p_workspace_id int4, p_path text, p_sha256 bytea, p_size int8,
    p_object_key text, p_kind text, p_experiment_id int8, p_id uuid,
    OUT why text, OUT key text, OUT added int8
) LANGUAGE plpgsql AS $$
DECLARE
    stage  text;
    number int8;
    names  text[] := string_to_array(p_path, '/');
BEGIN
    PERFORM set_config('app.tenant', p_tenant_no::text, true);
    -- The owner stays as it is until COMMIT, so that nothing is kept below one that is just removed.
    IF p_kind = 'run' THEN
        SELECT r.lifecycle_stage INTO stage FROM runs r
        WHERE r.tenant_no = p_tenant_no AND r.run_id = p_id AND r.workspace_id = p_workspace_id
              AND r.experiment_id = p_experiment_id FOR KEY SHARE;
    ELSE
        SELECT m.lifecycle_stage INTO stage FROM logged_models m
        WHERE m.tenant_no = p_tenant_no AND m.model_id = p_id AND m.workspace_id = p_workspace_id
              AND m.experiment_id = p_experiment_id FOR KEY SHARE;
    END IF;
    IF stage IS DISTINCT FROM 'active' THEN
        why := coalesce(stage, 'absent');
        RETURN;
    END IF;
    -- Two uploads at once must not make one name a file and a folder.
    PERFORM pg_advisory_xact_lock(hashtextextended(p_tenant_no || '/' || p_id, 0));
    IF EXISTS (SELECT FROM artifacts a WHERE a.tenant_no = p_tenant_no
               AND a.workspace_id = p_workspace_id
               AND a.path > p_path || '/' AND a.path < p_path || '0')
       OR EXISTS (SELECT FROM artifacts a WHERE a.tenant_no = p_tenant_no
                  AND a.workspace_id = p_workspace_id
                  AND a.path IN (SELECT array_to_string(names[:n], '/')
                                 FROM generate_series(1, cardinality(names) - 1) AS n)) THEN
        why := 'both';
        RETURN;
    END IF;
    IF p_object_key IS NOT NULL THEN
        PERFORM FROM loose_objects l WHERE l.object_key = p_object_key AND NOT l.leaves FOR UPDATE;
        IF NOT FOUND THEN -- it took so long that it was taken for given up
            why := 'late';
            RETURN;
        END IF;
    END IF;
    -- Whoever removes or moves the path locks it first too.
    SELECT a.content_no INTO number FROM artifacts a
    WHERE a.tenant_no = p_tenant_no AND a.workspace_id = p_workspace_id AND a.path = p_path
    FOR UPDATE;
    PERFORM FROM contents c
    WHERE c.tenant_no = p_tenant_no
          AND ((c.sha256 = p_sha256 AND c.size = p_size) OR c.content_no = number)
    ORDER BY c.content_no FOR NO KEY UPDATE;
    IF p_object_key IS NULL THEN
        SELECT c.content_no, c.object_key INTO number, key FROM contents c
        WHERE c.tenant_no = p_tenant_no AND c.sha256 = p_sha256 AND c.size = p_size;
        IF number IS NULL THEN
            why := 'unknown';
            RETURN;
        END IF;
    ELSE
        INSERT INTO contents AS c (tenant_no, sha256, size, object_key)
        VALUES (p_tenant_no, p_sha256, p_size, p_object_key)
        ON CONFLICT (tenant_no, sha256, size) DO UPDATE SET size = c.size
        RETURNING c.content_no, c.object_key INTO number, key;
        IF key = p_object_key THEN
            DELETE FROM loose_objects l WHERE l.object_key = p_object_key;
        ELSE
            UPDATE loose_objects l SET leaves = true WHERE l.object_key = p_object_key;
        END IF;
    END IF;
    DELETE FROM artifacts a WHERE a.tenant_no = p_tenant_no AND a.workspace_id = p_workspace_id
                                  AND a.path = p_path
    RETURNING -a.size INTO added;
    INSERT INTO artifacts (tenant_no, workspace_id, path, content_no, size)
    VALUES (p_tenant_no, p_workspace_id, p_path, number, p_size);
    added := coalesce(added, 0) + p_size;
END $$;

-- A content whose object turned out to be lost or cut gets a new one with the same bytes; whether it
-- did.
CREATE FUNCTION mend_content(
    p_tenant_no int4, p_sha256 bytea, p_size int8, p_broken text, p_object_key text
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('app.tenant', p_tenant_no::text, true);
    PERFORM FROM loose_objects l WHERE l.object_key = p_object_key FOR UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE contents c SET object_key = p_object_key
    WHERE c.tenant_no = p_tenant_no AND c.sha256 = p_sha256 AND c.size = p_size
          AND c.object_key = p_broken;
    IF NOT FOUND THEN -- somebody else was quicker
        RETURN false;
    END IF;
    DELETE FROM loose_objects l WHERE l.object_key = p_object_key;
    INSERT INTO loose_objects (object_key, leaves) VALUES (p_broken, true)
    ON CONFLICT DO NOTHING;
    RETURN true;
END $$;

-- An upload in parts that is under way, and how many bytes the tenant's parts hold; no row where it
-- is complete, aborted or was never begun, or the tenant is suspended.
CREATE FUNCTION part_upload(p_tenant_no int4, p_upload_id uuid)
RETURNS TABLE (
    tenant uuid, workspace_id int4, path text, subject text, actor text, scopes text[], epoch int8,
    held int8
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM set_config('app.tenant', p_tenant_no::text, true);
    RETURN QUERY
    SELECT u.tenant, u.workspace_id, u.path, u.subject, u.actor, u.scopes, u.epoch,
           coalesce((SELECT sum(p.size) FROM parts p WHERE p.tenant_no = p_tenant_no), 0)::int8
    FROM part_uploads u
    WHERE u.tenant_no = p_tenant_no AND u.upload_id = p_upload_id AND u.completed_at IS NULL
          AND NOT EXISTS (SELECT FROM known_tenants k
                          WHERE k.tenant_no = p_tenant_no AND k.status <> 'active');
END $$;

-- A part has come, in the object `p_object_key`; the one that it replaces is to be removed. False
-- where the upload has ended meanwhile, or is being put together. The object stays a loose one.
CREATE FUNCTION keep_part(
    p_tenant_no int4, p_upload_id uuid, p_part_number int4, p_object_key text, p_size int8,
    p_sha256 bytea
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('app.tenant', p_tenant_no::text, true);
    PERFORM FROM part_uploads u
    WHERE u.tenant_no = p_tenant_no AND u.upload_id = p_upload_id AND u.completed_at IS NULL
          AND (u.composing_until IS NULL OR u.composing_until < now())
    FOR SHARE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE loose_objects l SET size = p_size WHERE l.object_key = p_object_key AND NOT l.leaves;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE loose_objects l SET leaves = true FROM parts p
    WHERE p.tenant_no = p_tenant_no AND p.upload_id = p_upload_id
          AND p.part_number = p_part_number AND l.object_key = p.object_key;
    INSERT INTO parts (tenant_no, upload_id, part_number, object_key, size, sha256)
    VALUES (p_tenant_no, p_upload_id, p_part_number, p_object_key, p_size, p_sha256)
    ON CONFLICT (tenant_no, upload_id, part_number) DO UPDATE
    SET object_key = excluded.object_key, size = excluded.size, sha256 = excluded.sha256;
    RETURN true;
END $$;

-- The file at a path: no row where there is none.
CREATE FUNCTION artifact_at(p_tenant_no int4, p_workspace_id int4, p_path text)
RETURNS TABLE (object_key text, sha256 bytea, size int8) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM set_config('app.tenant', p_tenant_no::text, true);
    RETURN QUERY
    SELECT c.object_key, c.sha256, c.size FROM artifacts a
    JOIN contents c ON c.tenant_no = a.tenant_no AND c.content_no = a.content_no
    WHERE a.tenant_no = p_tenant_no AND a.workspace_id = p_workspace_id AND a.path = p_path;
END $$;

-- What lies directly below a folder, '' for the uppermost; a folder has no size. What lies deeper is
-- jumped over, so this costs as much as what it gives.
CREATE FUNCTION artifacts_in(p_tenant_no int4, p_workspace_id int4, p_folder text)
RETURNS TABLE (name text, size int8) LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
    above text := CASE WHEN p_folder = '' THEN '' ELSE p_folder || '/' END;
    start text := above;
    upto  text := CASE WHEN p_folder = '' THEN U&'\+10FFFF' ELSE p_folder || '0' END;
    item  record;
    more  boolean := true;
BEGIN
    PERFORM set_config('app.tenant', p_tenant_no::text, true);
    WHILE more LOOP
        more := false;
        FOR item IN
            SELECT a.path, a.size FROM artifacts a
            WHERE a.tenant_no = p_tenant_no AND a.workspace_id = p_workspace_id
                  AND a.path >= start AND a.path < upto
            ORDER BY a.path LIMIT 1000
        LOOP
            more := true;
            name := substr(item.path, length(above) + 1);
            IF position('/' IN name) > 0 THEN
                name := split_part(name, '/', 1);
                size := NULL;
                RETURN NEXT;
                start := above || name || '0'; -- which follows '/'
                EXIT;
            END IF;
            size := item.size;
            RETURN NEXT;
            start := item.path || U&'\0001'; -- no path holds what is less
        END LOOP;
    END LOOP;
END $$;

-- Frees those of some contents of a tenant that no path has held for so long: their rows go, their
-- objects are about to. What an upload is just about to hold is left for another time. Gives how
-- many are done with, either way.
CREATE FUNCTION free_unused(p_tenant_no int4, p_contents int8[], p_seconds float8)
RETURNS int8 LANGUAGE plpgsql AS $$
DECLARE
    done int8;
BEGIN
    PERFORM set_config('app.tenant', p_tenant_no::text, true);
    WITH unused AS (
        SELECT c.content_no FROM contents c
        JOIN unused_contents u ON u.tenant_no = c.tenant_no AND u.content_no = c.content_no
        WHERE c.tenant_no = p_tenant_no AND c.content_no = ANY (p_contents) AND c.refs = 0
              AND u.since <= now() - make_interval(secs => p_seconds)
        ORDER BY c.content_no FOR UPDATE OF c SKIP LOCKED
    ), gone AS (
        DELETE FROM contents c USING unused u
        WHERE c.tenant_no = p_tenant_no AND c.content_no = u.content_no
        RETURNING c.object_key, c.size
    )
    INSERT INTO loose_objects (object_key, size, leaves)
    SELECT g.object_key, g.size, true FROM gone g;
    -- Those that are held again are not unused any more. They are locked, since one that is just let
    -- go would be forgotten by its old row: whoever lets go has locked it and told of it anew.
    WITH held AS (
        SELECT c.content_no FROM contents c
        WHERE c.tenant_no = p_tenant_no AND c.content_no = ANY (p_contents) AND c.refs > 0
        ORDER BY c.content_no FOR SHARE SKIP LOCKED
    )
    DELETE FROM unused_contents u
    WHERE u.tenant_no = p_tenant_no AND u.content_no = ANY (p_contents)
          AND (u.content_no IN (SELECT h.content_no FROM held h)
               OR NOT EXISTS (SELECT FROM contents c WHERE c.tenant_no = u.tenant_no
                              AND c.content_no = u.content_no));
    GET DIAGNOSTICS done = ROW_COUNT;
    RETURN done;
END $$;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['contents', 'artifacts', 'part_uploads', 'parts'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY own_tenant ON %I'
            ' USING (tenant_no = nullif(current_setting(''app.tenant'', true), '''')::int4)'
            ' WITH CHECK (tenant_no = nullif(current_setting(''app.tenant'', true), '''')::int4)',
            name
        );
    END LOOP;
END $$;

GRANT SELECT, INSERT, DELETE ON artifacts TO tracking_app;
GRANT UPDATE (updated_at) ON artifacts TO tracking_app; -- rows are locked, and never updated
GRANT SELECT, INSERT, UPDATE, DELETE ON contents, part_uploads, parts, unused_contents,
    loose_objects TO tracking_app;

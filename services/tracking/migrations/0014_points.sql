-- Points that come together are packed, and those that came one by one are packed later.
--
-- A point is either a row of metric_points or an element of a row of metric_segments; every reader
-- takes both, through the functions below. A segment holds points of one run, key and context in the
-- order of (step, time, value), each once, as arrays that lie in the row itself: an element is read
-- by its place, without the others. What is regular is told by its distance, what fits four bytes
-- takes four.

CREATE TABLE metric_segments (
    tenant_no  int4 NOT NULL,
    key_no     int4 NOT NULL,
    run_no     int8 NOT NULL,
    segment_no int8 NOT NULL GENERATED ALWAYS AS IDENTITY,
    first_step int8 NOT NULL,   -- the least and the greatest
    last_step  int8 NOT NULL,
    first_ts   int8 NOT NULL,
    last_ts    int8 NOT NULL,
    points     int4 NOT NULL,
    context_no int4,
    step_every int4,            -- how far steps are apart, or:
    whole      boolean NOT NULL, -- there is room for no more, or hardly
    steps      int4[],          -- from first_step on, or, where they reach too far:
    wide_steps int8[],
    times      int4[],          -- from first_ts on; absent where all are the same
    wide_times int8[],
    vals       float8[],        -- or, where that loses nothing:
    short_vals float4[],
    PRIMARY KEY (tenant_no, run_no, key_no, segment_no)
) WITH (toast_tuple_target = 8160);
CREATE INDEX metric_segments_of_context ON metric_segments (tenant_no, context_no)
    WHERE context_no IS NOT NULL;
-- What packing may put together.
CREATE INDEX metric_segments_in_part ON metric_segments (tenant_no, run_no, key_no) WHERE NOT whole;

-- They do not compress; trying costs more than storing.
ALTER TABLE metric_segments
    ALTER steps SET STORAGE EXTERNAL, ALTER wide_steps SET STORAGE EXTERNAL,
    ALTER times SET STORAGE EXTERNAL, ALTER wide_times SET STORAGE EXTERNAL,
    ALTER vals SET STORAGE EXTERNAL, ALTER short_vals SET STORAGE EXTERNAL;

-- Rows come and go here: what is free is used again early.
ALTER TABLE metric_points SET (autovacuum_vacuum_scale_factor = 0.05);

ALTER TABLE metric_segments ENABLE ROW LEVEL SECURITY;
ALTER TABLE metric_segments FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON metric_segments
    USING (tenant_no = nullif(current_setting('app.tenant', true), '')::int4)
    WITH CHECK (tenant_no = nullif(current_setting('app.tenant', true), '')::int4);
GRANT SELECT, INSERT, DELETE, UPDATE (context_no) ON metric_segments TO tracking_app;

-- An element of a segment, by its place from 1 on. The planner writes these into their callers.
CREATE FUNCTION step_at(s metric_segments, place int4) RETURNS int8 LANGUAGE sql IMMUTABLE
RETURN coalesce(s.wide_steps[place],
                s.first_step + coalesce(s.steps[place], (place - 1)::int8 * s.step_every));

CREATE FUNCTION ts_at(s metric_segments, place int4) RETURNS int8 LANGUAGE sql IMMUTABLE
RETURN coalesce(s.wide_times[place],
                s.first_ts + CASE WHEN s.times IS NULL THEN 0 ELSE s.times[place] END);

CREATE FUNCTION value_at(s metric_segments, place int4) RETURNS float8 LANGUAGE sql IMMUTABLE
RETURN coalesce(s.vals[place], s.short_vals[place]);

-- Whether four bytes hold a value as well as eight.
CREATE FUNCTION is_short(value float8) RETURNS boolean LANGUAGE sql IMMUTABLE
RETURN CASE WHEN value = 'NaN'::float8 OR value = 0 THEN true
            WHEN abs(value) BETWEEN 1.2e-38 AND 3.4e38 THEN value::float4::float8 = value
            ELSE false END;

-- Whether two numbers are so close that four bytes hold how far they are apart.
CREATE FUNCTION is_near(low int8, high int8) RETURNS boolean LANGUAGE sql IMMUTABLE
RETURN high::float8 - low::float8 BETWEEN -2e9 AND 2e9;

-- How far a step is from the one before, NULL where that is too far.
CREATE FUNCTION step_from(before int8, step int8) RETURNS int8 LANGUAGE sql IMMUTABLE
RETURN CASE WHEN is_near(before, step) THEN step - before END;

-- Stores points of one tenant: those of which `p_least` or more have the same run, key and context
-- as segments that fill a page each, the others as rows. A point without a run is passed over.
CREATE FUNCTION pack_points(
    p_tenant_no int4, p_runs int8[], p_key_nos int4[], p_steps int8[], p_times int8[],
    p_values float8[], p_contexts int4[], p_least int4
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    WITH ordered AS (
        SELECT u.*, lag(u.step) OVER w AS step_before, lag(u.ts) OVER w AS ts_before,
               lag(u.value) OVER w AS value_before
        FROM unnest(p_runs, p_key_nos, p_contexts, p_steps, p_times, p_values)
             AS u (run_no, key_no, context_no, step, ts, value)
        WHERE u.run_no IS NOT NULL
        WINDOW w AS (PARTITION BY u.run_no, u.key_no, u.context_no
                     ORDER BY u.step, u.ts, comparable(u.value), u.value)
    ), gathered AS MATERIALIZED (
        -- Aggregates take the rows in the order in which the window leaves them.
        SELECT o.run_no, o.key_no, o.context_no, count(*) AS total, array_agg(o.step) AS steps,
               array_agg(o.ts) AS times, array_agg(o.value) AS vals,
               bool_and(is_short(o.value)) AS short, is_near(min(o.step), max(o.step)) AS near_steps,
               is_near(min(o.ts), max(o.ts)) AS near_times, min(o.ts) = max(o.ts) AS one_time,
               min(step_from(o.step_before, o.step)) AS least_on,
               max(step_from(o.step_before, o.step)) AS most_on
        FROM ordered o
        WHERE (o.step = o.step_before AND o.ts = o.ts_before AND o.value = o.value_before)
              IS NOT TRUE
        GROUP BY o.run_no, o.key_no, o.context_no
    ), apart AS (
        INSERT INTO metric_points (tenant_no, key_no, run_no, step, ts, value, context_no)
        SELECT p_tenant_no, g.key_no, g.run_no, u.step, u.ts, u.value, g.context_no
        FROM gathered g CROSS JOIN LATERAL unnest(g.steps, g.times, g.vals) AS u (step, ts, value)
        WHERE g.total < p_least
    ), parted AS (
        SELECT g.*, r.room, every.step AS step_every, g.steps[first + 1:first + r.room] AS part_steps,
               g.times[first + 1:first + r.room] AS part_times,
               g.vals[first + 1:first + r.room] AS part_vals
        FROM gathered g
        CROSS JOIN LATERAL (
            SELECT CASE WHEN g.near_steps AND g.least_on = g.most_on THEN g.least_on::int4 END
        ) AS every (step)
        CROSS JOIN LATERAL (
            SELECT 7950 / (CASE WHEN g.short THEN 4 ELSE 8 END
                           + CASE WHEN every.step IS NOT NULL THEN 0
                                  WHEN g.near_steps THEN 4 ELSE 8 END
                           + CASE WHEN g.one_time THEN 0 WHEN g.near_times THEN 4 ELSE 8 END)
        ) AS r (room)
        CROSS JOIN LATERAL generate_series(0, g.total::int4 - 1, r.room) AS first
        WHERE g.total >= p_least
    )
    INSERT INTO metric_segments
        (tenant_no, key_no, run_no, context_no, first_step, last_step, first_ts, last_ts, points,
         step_every, whole, steps, wide_steps, times, wide_times, vals, short_vals)
    SELECT p_tenant_no, p.key_no, p.run_no, p.context_no, p.part_steps[1],
           p.part_steps[cardinality(p.part_steps)], t.least, t.most, cardinality(p.part_steps),
           p.step_every, cardinality(p.part_steps) >= p.room * 7 / 8,
           CASE WHEN p.step_every IS NULL AND p.near_steps
                THEN ARRAY(SELECT (x - p.part_steps[1])::int4 FROM unnest(p.part_steps) AS x) END,
           CASE WHEN NOT p.near_steps THEN p.part_steps END,
           CASE WHEN NOT p.one_time AND p.near_times
                THEN ARRAY(SELECT (x - t.least)::int4 FROM unnest(p.part_times) AS x) END,
           CASE WHEN NOT p.near_times THEN p.part_times END,
           CASE WHEN NOT p.short THEN p.part_vals END,
           CASE WHEN p.short THEN p.part_vals::float4[] END
    FROM parted p
    CROSS JOIN LATERAL (
        SELECT min(x), max(x)
        FROM unnest(CASE WHEN p.one_time THEN p.part_times[1:1] ELSE p.part_times END) AS x
    ) AS t (least, most);
END $$;

-- Points of a tenant and the latest values they make, of group commit and of what comes by event.
-- Those that come eight or more of a kind are packed at once; a point without a run is passed over,
-- and the contexts may be NULL where there are none.
CREATE FUNCTION store_points(
    p_tenant_no int4, p_runs int8[], p_key_nos int4[], p_steps int8[], p_times int8[],
    p_values float8[], p_contexts int4[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF cardinality(p_runs) >= 8 AND EXISTS (
        SELECT FROM unnest(p_runs, p_key_nos, p_contexts) AS u (run_no, key_no, context_no)
        GROUP BY u.run_no, u.key_no, u.context_no HAVING count(*) >= 8
    ) THEN
        PERFORM pack_points(p_tenant_no, p_runs, p_key_nos, p_steps, p_times, p_values, p_contexts,
                            8);
    ELSE
        INSERT INTO metric_points (tenant_no, key_no, run_no, step, ts, value, context_no)
        SELECT p_tenant_no, u.key_no, u.run_no, u.step, u.ts, u.value, u.context_no
        FROM unnest(p_runs, p_key_nos, p_steps, p_times, p_values, p_contexts)
             AS u (run_no, key_no, step, ts, value, context_no)
        WHERE u.run_no IS NOT NULL;
    END IF;
    INSERT INTO latest_metrics AS l (tenant_no, key_no, run_no, step, ts, value)
    SELECT DISTINCT ON (u.run_no, u.key_no) p_tenant_no, u.key_no, u.run_no, u.step, u.ts, u.value
    FROM unnest(p_runs, p_key_nos, p_steps, p_times, p_values) WITH ORDINALITY
         AS u (run_no, key_no, step, ts, value, position)
    WHERE u.run_no IS NOT NULL
    ORDER BY u.run_no, u.key_no, u.step DESC, u.ts DESC, comparable(u.value) DESC, u.position
    ON CONFLICT (tenant_no, run_no, key_no) DO UPDATE
    SET step = EXCLUDED.step, ts = EXCLUDED.ts, value = EXCLUDED.value
    WHERE (EXCLUDED.step, EXCLUDED.ts, comparable(EXCLUDED.value))
          > (l.step, l.ts, comparable(l.value));
END $$;

-- Below, OFFSET 0 has the planner look a segment up by its whole key, whatever it knows of the tables.

-- The runs whose points a run shows, itself among them, and up to which step.
CREATE FUNCTION lines_of(p_tenant_no int4, p_run_no int8, p_to int8)
RETURNS TABLE (run_no int8, up_to int8) LANGUAGE sql STABLE AS $$
    SELECT p_run_no, p_to
    UNION ALL
    SELECT a.ancestor_no, least(a.up_to, p_to) FROM run_ancestry a
    WHERE a.tenant_no = p_tenant_no AND a.run_no = p_run_no
$$;

-- A metric's points of one run: its own, and those of the runs that it continues, as far as their
-- steps lie between two, as often as they are stored.
DROP FUNCTION points_of;
CREATE FUNCTION points_of(p_tenant_no int4, p_run_no int8, p_key_no int4, p_from int8, p_to int8)
RETURNS TABLE (step int8, ts int8, value float8) LANGUAGE sql STABLE AS $$
    SELECT p.step, p.ts, p.value
    FROM lines_of(p_tenant_no, p_run_no, p_to) l
    CROSS JOIN LATERAL (
        SELECT m.step, m.ts, m.value FROM metric_points m
        WHERE m.tenant_no = p_tenant_no AND m.run_no = l.run_no AND m.key_no = p_key_no
          AND m.step BETWEEN p_from AND l.up_to
        UNION ALL
        SELECT step_at(s, place), ts_at(s, place), value_at(s, place)
        FROM metric_segments s CROSS JOIN LATERAL generate_series(1, s.points) AS place
        WHERE s.tenant_no = p_tenant_no AND s.run_no = l.run_no AND s.key_no = p_key_no
          AND s.first_step <= l.up_to AND s.last_step >= p_from
          AND step_at(s, place) BETWEEN p_from AND l.up_to
        OFFSET 0
    ) p
$$;

-- The points of a context, as often as they are stored.
CREATE FUNCTION points_in_context(p_tenant_no int4, p_context_no int4)
RETURNS TABLE (run_no int8, key_no int4, step int8, ts int8, value float8)
LANGUAGE sql STABLE AS $$
    SELECT p.run_no, p.key_no, p.step, p.ts, p.value FROM metric_points p
    WHERE p.tenant_no = p_tenant_no AND p.context_no = p_context_no
    UNION ALL
    SELECT s.run_no, s.key_no, step_at(s, place), ts_at(s, place), value_at(s, place)
    FROM metric_segments s CROSS JOIN LATERAL generate_series(1, s.points) AS place
    WHERE s.tenant_no = p_tenant_no AND s.context_no = p_context_no
$$;

-- A metric's points of one run, as far as its steps lie between two, as *pieces*: segments and single
-- points. `skip` elements of a segment come before those that count.
CREATE FUNCTION pieces_of(
    p_tenant_no int4, p_run_no int8, p_key_no int4, p_from int8, p_to int8
) RETURNS TABLE (
    run_no int8, segment_no int8, first_step int8, last_step int8, first_ts int8, last_ts int8,
    skip int8, points int8, value float8
) LANGUAGE sql STABLE AS $$
    SELECT p.*
    FROM lines_of(p_tenant_no, p_run_no, p_to) l
    CROSS JOIN LATERAL (
        SELECT s.run_no, s.segment_no, greatest(s.first_step, p_from), least(s.last_step, l.up_to),
               s.first_ts, s.last_ts,
               CASE WHEN s.first_step >= p_from THEN 0
                    ELSE (SELECT count(*) FROM generate_series(1, s.points) AS place
                          WHERE step_at(s, place) < p_from) END,
               CASE WHEN s.first_step >= p_from AND s.last_step <= l.up_to THEN s.points
                    ELSE (SELECT count(*) FROM generate_series(1, s.points) AS place
                          WHERE step_at(s, place) BETWEEN p_from AND l.up_to) END,
               NULL::float8
        FROM metric_segments s
        WHERE s.tenant_no = p_tenant_no AND s.run_no = l.run_no AND s.key_no = p_key_no
          AND s.first_step <= l.up_to AND s.last_step >= p_from
        OFFSET 0
    ) p
    UNION ALL
    SELECT NULL, NULL, d.step, d.step, d.ts, d.ts, 0, 1, d.value
    FROM (
        SELECT DISTINCT p.step, p.ts, p.value
        FROM lines_of(p_tenant_no, p_run_no, p_to) l
        CROSS JOIN LATERAL (
            SELECT m.step, m.ts, m.value FROM metric_points m
            WHERE m.tenant_no = p_tenant_no AND m.run_no = l.run_no AND m.key_no = p_key_no
              AND m.step BETWEEN p_from AND l.up_to
            OFFSET 0
        ) p
    ) d
$$;

-- The elements of a segment after the first `p_skip`, so many of them.
CREATE FUNCTION elements_of(
    p_tenant_no int4, p_run_no int8, p_key_no int4, p_segment_no int8, p_skip int8, p_points int8
) RETURNS TABLE (step int8, ts int8, value float8) LANGUAGE sql STABLE AS $$
    SELECT step_at(s, place), ts_at(s, place), value_at(s, place)
    FROM metric_segments s
    CROSS JOIN LATERAL generate_series((p_skip + 1)::int4, (p_skip + p_points)::int4) AS place
    WHERE s.tenant_no = p_tenant_no AND s.run_no = p_run_no AND s.key_no = p_key_no
      AND s.segment_no = p_segment_no
    OFFSET 0
$$;

-- A metric's points of one run by (time, step, value), each once: `p_most` of those that come after
-- the one told, all where that is NULL. Not-a-number stands as 0 in `p_value`, and then `p_nan` is 1.
--
-- Pieces of which one begins before another has ended are a bundle, where points may be there twice.
-- Bundles are opened until they surely hold enough after the one told.
CREATE FUNCTION history_of(
    p_tenant_no int4, p_run_no int8, p_key_no int4,
    p_ts int8, p_step int8, p_value float8, p_nan int8, p_most int8
) RETURNS TABLE (ts int8, step int8, value float8) LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH pieces AS MATERIALIZED (
        SELECT p.*, coalesce((p.first_ts, p.first_step) > max((p.last_ts, p.last_step)) OVER w, true)
                    AS begins
        FROM pieces_of(p_tenant_no, p_run_no, p_key_no,
                       -9223372036854775808, 9223372036854775807) p
        WHERE p_ts IS NULL OR p.last_ts >= p_ts
        WINDOW w AS (ORDER BY p.first_ts, p.first_step
                     ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
    ), numbered AS (
        SELECT p.*, sum(p.begins::int) OVER (ORDER BY p.first_ts, p.first_step) AS bundle
        FROM pieces p
    ), sized AS (
        SELECT n.*, count(*) OVER b AS pieces,
               CASE WHEN p_ts IS NULL OR min((n.first_ts, n.first_step)) OVER b > (p_ts, p_step)
                    THEN max(n.points) OVER b ELSE 0 END AS surely
        FROM numbered n WINDOW b AS (PARTITION BY n.bundle)
    ), counted AS MATERIALIZED (
        -- In each bundle one begins: how many there surely are before the bundle.
        SELECT z.*, sum(CASE WHEN z.begins THEN z.surely ELSE 0 END) OVER (ORDER BY z.bundle)
                    - z.surely AS before
        FROM sized z
    ), opened AS NOT MATERIALIZED (
        SELECT n.first_ts AS ts, n.first_step AS step, n.value, n.pieces
        FROM counted n
        WHERE n.segment_no IS NULL AND (p_most IS NULL OR n.before < p_most)
        UNION ALL
        SELECT e.ts, e.step, e.value, n.pieces
        FROM counted n
        CROSS JOIN LATERAL elements_of(p_tenant_no, n.run_no, p_key_no, n.segment_no,
                                       n.skip, n.points) e
        WHERE n.segment_no IS NOT NULL AND (p_most IS NULL OR n.before < p_most)
    ), once AS (
        SELECT o.ts, o.step, o.value FROM opened o WHERE o.pieces = 1
        UNION ALL
        SELECT DISTINCT o.ts, o.step, o.value FROM opened o WHERE o.pieces > 1
    )
    SELECT o.ts, o.step, o.value FROM once o
    WHERE p_ts IS NULL OR (o.ts, o.step, comparable(o.value), (o.value = 'NaN'::float8)::int)
                          > (p_ts, p_step, p_value, p_nan)
    ORDER BY o.ts, o.step, comparable(o.value), o.value
    LIMIT p_most;
END $$;

-- How many of the parts of ntile begin at the first `p_places` places; the first `p_longer` parts
-- have one place more than the `p_each` that each has.
CREATE FUNCTION parts_begun(p_places int8, p_each int8, p_longer int8) RETURNS int8
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN p_places <= p_longer * (p_each + 1) THEN (p_places + p_each) / (p_each + 1)
            ELSE (p_places - p_longer + p_each - 1) / p_each END;

-- Of a metric's points of one run by (step, time, value), as far as their steps lie between two,
-- `p_most` at most: the first of each of so many even parts, and always the last of all.
--
-- Pieces of which one begins before another has ended are opened and become single points. Then each
-- ends before the next begins, and places are found by counting; nothing else is opened.
CREATE FUNCTION samples_of(
    p_tenant_no int4, p_run_no int8, p_key_no int4, p_from int8, p_to int8, p_most int8
) RETURNS TABLE (ts int8, step int8, value float8) LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH pieces AS MATERIALIZED (
        SELECT p.*, coalesce((p.first_step, p.first_ts) > max((p.last_step, p.last_ts)) OVER w, true)
                    AS begins
        FROM pieces_of(p_tenant_no, p_run_no, p_key_no, p_from, p_to) p
        WINDOW w AS (ORDER BY p.first_step, p.first_ts
                     ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
    ), numbered AS MATERIALIZED (
        SELECT n.*, count(*) OVER (PARTITION BY n.bundle) AS pieces
        FROM (SELECT p.*, sum(p.begins::int) OVER (ORDER BY p.first_step, p.first_ts) AS bundle
              FROM pieces p) n
    ), apart AS (
        SELECT n.run_no, n.segment_no, n.first_step, n.first_ts, n.skip, n.points, n.value
        FROM numbered n WHERE n.pieces = 1
        UNION ALL
        SELECT NULL, NULL, d.step, d.ts, 0, 1, d.value
        FROM (
            SELECT n.first_step AS step, n.first_ts AS ts, n.value
            FROM numbered n WHERE n.pieces > 1 AND n.segment_no IS NULL
            UNION
            SELECT e.step, e.ts, e.value
            FROM numbered n
            CROSS JOIN LATERAL elements_of(p_tenant_no, n.run_no, p_key_no, n.segment_no,
                                           n.skip, n.points) e
            WHERE n.pieces > 1 AND n.segment_no IS NOT NULL
        ) d
    ), counted AS (
        SELECT a.*, (sum(a.points) OVER w)::int8 - a.points AS before,
               (sum(a.points) OVER ())::int8 AS total
        FROM apart a
        WINDOW w AS (ORDER BY a.first_step, a.first_ts, comparable(a.value), a.value
                     ROWS UNBOUNDED PRECEDING)
    ), shared AS (
        SELECT c.*, least(c.total, p_most) AS parts, c.total / least(c.total, p_most) AS each,
               c.total % least(c.total, p_most) AS longer
        FROM counted c WHERE c.points > 0
    )
    SELECT f.ts, f.step, f.value
    FROM shared p
    CROSS JOIN LATERAL (
        SELECT (p.skip + part * p.each + least(part, p.longer) + 1 - p.before)::int4 AS at
        FROM generate_series(parts_begun(p.before, p.each, p.longer),
                             least(parts_begun(p.before + p.points, p.each, p.longer),
                                   p.parts - 1) - 1) AS part
        UNION ALL
        SELECT (p.skip + p.points)::int4 WHERE p.before + p.points = p.total
    ) w
    CROSS JOIN LATERAL (
        SELECT p.first_ts AS ts, p.first_step AS step, p.value WHERE p.segment_no IS NULL
        UNION ALL
        SELECT ts_at(s, w.at), step_at(s, w.at), value_at(s, w.at) FROM metric_segments s
        WHERE s.tenant_no = p_tenant_no AND s.run_no = p.run_no AND s.key_no = p_key_no
          AND s.segment_no = p.segment_no
        OFFSET 0
    ) f
    ORDER BY p.before, w.at;
END $$;

-- Packs points of a run's metric that lie apart, and in segments with room, into full segments, for
-- each context that has `p_rows` of the former or `p_segments` of the latter; a bounded number of
-- them, and whether more are left. A run that is gone is passed over: its points are removed.
--
-- Points go and come in one transaction: who reads sees each of them once, before and after.
CREATE FUNCTION fold_points(
    p_tenant_no int4, p_run_no int8, p_key_no int4, p_rows int8, p_segments int8
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    kind   record;
    more   boolean := false;
    taken  int8;
    opened int8;
    steps  int8[];
    times  int8[];
    vals   float8[];
BEGIN
    PERFORM FROM runs r WHERE r.tenant_no = p_tenant_no AND r.run_no = p_run_no FOR KEY SHARE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    FOR kind IN
        SELECT u.context_no FROM (
            SELECT p.context_no, 1 AS rows, 0 AS segments FROM metric_points p
            WHERE p.tenant_no = p_tenant_no AND p.run_no = p_run_no AND p.key_no = p_key_no
            UNION ALL
            SELECT s.context_no, 0, 1 FROM metric_segments s
            WHERE s.tenant_no = p_tenant_no AND s.run_no = p_run_no AND s.key_no = p_key_no
              AND NOT s.whole
        ) u
        GROUP BY u.context_no HAVING sum(u.rows) >= p_rows OR sum(u.segments) >= p_segments
    LOOP
        WITH rows AS (
            DELETE FROM metric_points WHERE tenant_no = p_tenant_no AND ctid = ANY(ARRAY(
                SELECT p.ctid FROM metric_points p
                WHERE p.tenant_no = p_tenant_no AND p.run_no = p_run_no AND p.key_no = p_key_no
                  AND p.context_no IS NOT DISTINCT FROM kind.context_no LIMIT 20000))
            RETURNING step, ts, value
        ), parts AS (
            DELETE FROM metric_segments WHERE tenant_no = p_tenant_no AND run_no = p_run_no
                AND key_no = p_key_no AND segment_no = ANY(ARRAY(
                    SELECT s.segment_no FROM metric_segments s
                    WHERE s.tenant_no = p_tenant_no AND s.run_no = p_run_no
                      AND s.key_no = p_key_no AND NOT s.whole
                      AND s.context_no IS NOT DISTINCT FROM kind.context_no
                    ORDER BY s.first_step, s.first_ts LIMIT 200))
            RETURNING first_step, first_ts, last_step, last_ts, metric_segments AS segment
        ), reach AS MATERIALIZED (
            SELECT min(r.first) AS first, max(r.last) AS last
            FROM (SELECT (r.step, r.ts) AS first, (r.step, r.ts) AS last FROM rows r
                  UNION ALL
                  SELECT (p.first_step, p.first_ts), (p.last_step, p.last_ts) FROM parts p) r
        ), between_them AS (
            -- Full ones are opened where what is packed would overlap them.
            DELETE FROM metric_segments WHERE tenant_no = p_tenant_no AND run_no = p_run_no
                AND key_no = p_key_no AND segment_no = ANY(ARRAY(
                    SELECT s.segment_no FROM metric_segments s, reach r
                    WHERE s.tenant_no = p_tenant_no AND s.run_no = p_run_no
                      AND s.key_no = p_key_no AND s.whole
                      AND s.context_no IS NOT DISTINCT FROM kind.context_no
                      AND (s.last_step, s.last_ts) >= r.first
                      AND (s.first_step, s.first_ts) <= r.last
                    ORDER BY s.first_step, s.first_ts LIMIT 200))
            RETURNING metric_segments AS segment
        )
        SELECT (SELECT count(*) FROM rows), (SELECT count(*) FROM parts),
               array_agg(u.step), array_agg(u.ts), array_agg(u.value)
        INTO taken, opened, steps, times, vals
        FROM (
            SELECT step_at(s.segment, place) AS step, ts_at(s.segment, place) AS ts,
                   value_at(s.segment, place) AS value
            FROM (SELECT p.segment FROM parts p UNION ALL SELECT b.segment FROM between_them b) s
            CROSS JOIN LATERAL generate_series(1, (s.segment).points) AS place
            UNION ALL
            SELECT r.step, r.ts, r.value FROM rows r
        ) u;
        PERFORM pack_points(
            p_tenant_no, array_fill(p_run_no, ARRAY[cardinality(steps)]),
            array_fill(p_key_no, ARRAY[cardinality(steps)]), steps, times, vals,
            array_fill(kind.context_no, ARRAY[cardinality(steps)]), 1);
        more := more OR taken = 20000 OR opened = 200;
    END LOOP;
    RETURN more;
END $$;

-- Removes the points of a run at steps past one, all where that is NULL, from so many segments: how
-- many points, and whether that was all. What is kept of a segment is packed anew.
CREATE FUNCTION cut_segments(p_tenant_no int4, p_run_no int8, p_past int8, p_most int4)
RETURNS TABLE (removed int8, done boolean) LANGUAGE plpgsql AS $$
DECLARE
    opened  int8;
    kept    int8;
    runs    int8[];
    numbers int4[];
    steps   int8[];
    times   int8[];
    vals    float8[];
    places  int4[];
BEGIN
    WITH gone AS (
        DELETE FROM metric_segments WHERE tenant_no = p_tenant_no AND run_no = p_run_no
            AND segment_no = ANY(ARRAY(
                SELECT s.segment_no FROM metric_segments s
                WHERE s.tenant_no = p_tenant_no AND s.run_no = p_run_no
                  AND (p_past IS NULL OR s.last_step > p_past) LIMIT p_most))
        RETURNING run_no, key_no, context_no, first_step, points, metric_segments AS segment
    ), left_over AS (
        SELECT g.run_no, g.key_no, g.context_no, step_at(g.segment, place) AS step,
               ts_at(g.segment, place) AS ts, value_at(g.segment, place) AS value
        FROM gone g CROSS JOIN LATERAL generate_series(1, g.points) AS place
        WHERE g.first_step <= p_past AND step_at(g.segment, place) <= p_past
    )
    SELECT (SELECT count(*) FROM gone), (SELECT coalesce(sum(g.points), 0) FROM gone g), count(*),
           array_agg(l.run_no), array_agg(l.key_no), array_agg(l.step), array_agg(l.ts),
           array_agg(l.value), array_agg(l.context_no)
    INTO opened, removed, kept, runs, numbers, steps, times, vals, places
    FROM left_over l;
    IF kept > 0 THEN
        PERFORM pack_points(p_tenant_no, runs, numbers, steps, times, vals, places, 1);
    END IF;
    removed := removed - kept;
    done := opened < p_most;
    RETURN NEXT;
END $$;

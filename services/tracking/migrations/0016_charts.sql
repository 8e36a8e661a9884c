-- Samples for charts come as columns, from each segment that has some at once.

-- As before; where steps are regular, elements before a step are no longer counted but told.
CREATE OR REPLACE FUNCTION pieces_of(
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
                    WHEN s.step_every > 0
                    THEN (p_from - s.first_step + s.step_every - 1) / s.step_every
                    ELSE (SELECT count(*) FROM generate_series(1, s.points) AS place
                          WHERE step_at(s, place) < p_from) END,
               CASE WHEN s.first_step >= p_from AND s.last_step <= l.up_to THEN s.points
                    WHEN s.step_every > 0
                    THEN (least(s.last_step, l.up_to) - s.first_step) / s.step_every + 1
                         - (greatest(s.first_step, p_from) - s.first_step + s.step_every - 1)
                           / s.step_every
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

-- What samples_of gives, as columns. Where each piece ends before the next begins, as nearly always:
-- none is merged with others, and each segment is looked up once for all its samples.
CREATE FUNCTION sampled(
    p_tenant_no int4, p_run_no int8, p_key_no int4, p_from int8, p_to int8, p_most int8
) RETURNS TABLE (times int8[], steps int8[], vals float8[]) LANGUAGE plpgsql STABLE AS $$
DECLARE
    overlap boolean;
BEGIN
    WITH pieces AS MATERIALIZED (
        SELECT p.*, (sum(p.points) OVER w)::int8 AS up_to,
               (p.first_step, p.first_ts) <= (lag(p.last_step) OVER w, lag(p.last_ts) OVER w)
                   AS overlaps
        FROM pieces_of(p_tenant_no, p_run_no, p_key_no, p_from, p_to) p
        WINDOW w AS (ORDER BY p.first_step, p.first_ts ROWS UNBOUNDED PRECEDING)
    ), whole AS MATERIALIZED (
        SELECT t.total, least(t.total, p_most) AS parts, t.total / least(t.total, p_most) AS each,
               t.total % least(t.total, p_most) AS longer, t.overlaps
        FROM (SELECT max(p.up_to) AS total, bool_or(p.overlaps) AS overlaps FROM pieces p) t
    ), shared AS (
        -- The last sample is the last of all points, wherever the last part begins.
        SELECT p.*, w.*, p.up_to - p.points AS before,
               least(parts_begun(p.up_to - p.points, w.each, w.longer), w.parts - 1) AS part,
               CASE WHEN p.up_to = w.total THEN w.parts
                    ELSE least(parts_begun(p.up_to, w.each, w.longer), w.parts - 1) END AS next_part
        FROM whole w CROSS JOIN pieces p
        WHERE p.points > 0 AND w.overlaps IS NOT TRUE
        ORDER BY p.up_to OFFSET 0
    )
    SELECT (SELECT w.overlaps FROM whole w), array_agg(f.ts), array_agg(f.step), array_agg(f.value)
    INTO overlap, times, steps, vals
    FROM (
        -- A loop over the pieces in their order, which the aggregates take as it comes.
        SELECT CASE WHEN p.segment_no IS NULL THEN p.first_ts ELSE ts_at(s, a.place) END AS ts,
               CASE WHEN p.segment_no IS NULL THEN p.first_step ELSE step_at(s, a.place) END AS step,
               CASE WHEN p.segment_no IS NULL THEN p.value ELSE value_at(s, a.place) END AS value
        FROM shared p
        LEFT JOIN LATERAL (
            SELECT * FROM metric_segments s
            WHERE s.tenant_no = p_tenant_no AND s.run_no = p.run_no AND s.key_no = p_key_no
              AND s.segment_no = p.segment_no
            OFFSET 0
        ) s ON true
        CROSS JOIN LATERAL (
            SELECT (p.skip - p.before
                    + CASE WHEN n = p.parts - 1 THEN p.total
                           ELSE n * p.each + least(n, p.longer) + 1 END)::int4 AS place
            FROM generate_series(p.part, p.next_part - 1) AS n
            OFFSET 0
        ) a
    ) f;
    IF overlap THEN
        SELECT array_agg(p.ts), array_agg(p.step), array_agg(p.value) INTO times, steps, vals
        FROM samples_of(p_tenant_no, p_run_no, p_key_no, p_from, p_to, p_most) p;
    END IF;
    RETURN NEXT;
END $$;
